import json

import pytest
from tokenizers import processors

from kerasllm.pretrained.generation_settings import read_generation_settings
from kerasllm.tokenizing.decoder_tokenizer import CHAT, END, DecoderTokenizerConfig, train_decoder_tokenizer


def tokenizer():
    return train_decoder_tokenizer(["a b"], DecoderTokenizerConfig(vocab_size=300, chat=True))


def read(folder, own=None, template=None, **files):
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return read_generation_settings(folder, own or tokenizer())


def test_a_folder_without_a_word_about_it_ends_nothing(tmp_path):
    found = read(tmp_path, config={})
    assert (found.eos_token_ids, found.bos_token_id, found.add_bos, found.chat_template) == ((), None, False, None)


def test_the_generation_config_comes_first_then_the_config_then_words(tmp_path):
    words = {"eos_token": {"content": CHAT[1]}, "bos_token": CHAT[0]}
    assert read(tmp_path, tokenizer_config=words).eos_token_ids == (2,)
    assert read(tmp_path).bos_token_id == 1
    assert read(tmp_path, config={"eos_token_id": 0}).eos_token_ids == (0,)
    assert read(tmp_path, generation_config={"eos_token_id": [2, 0]}).eos_token_ids == (2, 0)


def test_texts_begin_as_the_tokenizer_begins_them(tmp_path):
    config = {"bos_token_id": 0}
    assert not read(tmp_path, config=config).add_bos
    beginning = tokenizer()
    beginning.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, 0)])
    assert read(tmp_path, beginning, config=config).add_bos


def test_a_template_is_a_file_or_a_text_or_the_default_of_several(tmp_path):
    assert read(tmp_path, tokenizer_config={"chat_template": "one"}).chat_template == "one"
    several = [{"name": "tools", "template": "no"}, {"name": "default", "template": "two"}]
    assert read(tmp_path, tokenizer_config={"chat_template": several}).chat_template == "two"
    assert read(tmp_path, template="three").chat_template == "three"


@pytest.mark.parametrize("wrong", [300, "0", [0, 999], -1])
def test_a_token_of_another_tokenizer_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match="eos_token of a folder must be a token"):
        read(tmp_path, config={"eos_token_id": wrong})
