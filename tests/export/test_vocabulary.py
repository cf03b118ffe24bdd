"""Other programs read the tokenizer as it is: its class, its special tokens, its limits."""

from tokenizers import Tokenizer, models, pre_tokenizers, processors

from kerasllm.export.signature import Signature
from kerasllm.export.vocabulary import special_tokens, tokenizer_config

from .encoders import bert_tokenizer

SIGNATURE = Signature(
    inputs={"attention_mask": "attention_mask", "input_ids": "input_ids", "token_type_ids": "token_type_ids"},
    applied="none",
    one_for_two=False,
    activation="none",
    max_length=24,
    padding="longest",
    padding_side="right",
    pad_token_id=0,
    vocab_size=28,
)


def test_berts_own_class_where_the_file_is_of_its_make():
    config = tokenizer_config(bert_tokenizer(), SIGNATURE, "bert")
    assert (config["tokenizer_class"], config["do_lower_case"], config["strip_accents"]) == (
        "BertTokenizer",
        True,
        None,
    )
    assert config["model_input_names"] == ["input_ids", "token_type_ids", "attention_mask"]
    assert config["model_max_length"] == 24
    assert tokenizer_config(bert_tokenizer(), SIGNATURE, "distilbert")["tokenizer_class"] == "DistilBertTokenizer"


def test_the_general_class_where_it_is_not():
    """A normalizer that BERT's class would replace by its own, and words instead of word pieces."""
    other = Tokenizer.from_str(bert_tokenizer().to_str())
    other.normalizer = None
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1}, unk_token="[UNK]"))
    for tokenizer in (other, words):
        config = tokenizer_config(tokenizer, SIGNATURE, "bert")
        assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
        assert "do_lower_case" not in config


def test_every_special_token_has_its_role():
    assert special_tokens(bert_tokenizer()) == {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    names = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", "a"]
    roberta = Tokenizer(models.BPE({name: index for index, name in enumerate(names)}, []))
    roberta.pre_tokenizer = pre_tokenizers.ByteLevel()
    roberta.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0))
    assert special_tokens(roberta) == {
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "cls_token": "<s>",
        "sep_token": "</s>",
        "mask_token": "<mask>",
        "bos_token": "<s>",
        "eos_token": "</s>",
    }
    assert tokenizer_config(roberta, SIGNATURE, "roberta")["tokenizer_class"] == "RobertaTokenizer"
