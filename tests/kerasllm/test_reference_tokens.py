"""Tokens and ids that other programs made, token by token."""

import gzip
import json

from kerasllm.pretrained.vocabularies import read_byte_pairs
from kerasllm.tokenizing.bert_tokenizer import read_vocabulary
from kerasllm.tokenizing.tokenizer import encode, encode_all, encode_pairs, load_tokenizer, pad_id, save_tokenizer


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def bert(folder, target):
    """BERT's tokenizer by way of a tokenizer.json, which is what a bundle holds."""
    save_tokenizer(read_vocabulary(folder / "bert-base-uncased" / "vocab.txt", lowercase=True), target)
    return load_tokenizer(target)


def test_questions_become_the_word_pieces_and_ids_of_bert(shared_data, tmp_path):
    folder = shared_data / "tokenizers"
    with gzip.open(folder / "reference" / "bert-base-uncased.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert len(rows) == 10_570
    tokenizer = bert(folder, tmp_path / "tokenizer.json")
    texts = [row["text"] for row in rows]
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    assert [ids.tolist() for ids in encode(tokenizer, texts, 512)] == [[cls, *row["ids"], sep] for row in rows]
    pieces = [encoding.tokens[1:-1] for encoding in encode_all(tokenizer, texts, None)]
    assert pieces == [row["wordpiece"] for row in rows]


def test_minilm_has_the_tokenizer_of_bert(shared_data, minilm):
    folder = shared_data / "tokenizers"
    with gzip.open(folder / "reference" / "bert-base-uncased.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    ids = encode(load_tokenizer(minilm / "tokenizer.json"), [row["text"] for row in rows], 512)
    assert [row[1:-1].tolist() for row in ids] == [row["ids"] for row in rows]


def test_a_question_and_its_context_become_the_ids_and_segments_of_bert(shared_data, tmp_path):
    folder = shared_data / "tokenizers"
    expected = read(folder / "reference" / "bert-base-uncased-qa-pair.json")
    tokenizer = bert(folder, tmp_path / "tokenizer.json")
    ((ids, types),) = encode_pairs(tokenizer, [expected["question"]], [expected["context"]], 384)
    padding = [pad_id(tokenizer)] * (384 - len(ids))
    assert ids.tolist() + padding == expected["input_ids"]
    assert types.tolist() + [0] * len(padding) == expected["token_type_ids"]


def test_a_french_text_becomes_the_tokens_and_ids_of_gpt2(shared_data, tmp_path):
    folder = shared_data / "tokenizers"
    expected = read(folder / "reference" / "gpt2.json")
    save_tokenizer(read_byte_pairs(folder / "gpt2" / "vocab.json", folder / "gpt2" / "merges.txt"), tmp_path / "t.json")
    tokenizer = load_tokenizer(tmp_path / "t.json")
    (ids,) = encode(tokenizer, [expected["text"]], 1024)
    assert ids.tolist() == expected["token_ids"]
    (encoding,) = encode_all(tokenizer, [expected["text"]], None)
    assert encoding.tokens == expected["bpe_tokens"]
    words = "".join(expected["encoded_text"])
    assert "".join(encoding.tokens) == words
    assert tokenizer.decode(ids) == expected["text"]
