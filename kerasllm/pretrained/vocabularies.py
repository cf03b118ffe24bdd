"""The tokenizer of a folder of Hugging Face: its tokenizer.json, or what older folders hold instead of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from ..tokenizing.bert_tokenizer import read_vocabulary
from ..tokenizing.tokenizer import load_tokenizer
from .settings import read_json

_WORDPIECES = ("bert", "distilbert", "electra")


def folder_tokenizer(folder: Path, architecture: str) -> Tokenizer:
    """The folder's own tokenizer.

    Args:
        folder: One with a tokenizer.json, else a vocab.txt of WordPieces, or the vocab.json and merges.txt of GPT-2 or
            RoBERTa.
        architecture: The model's.

    Raises:
        FileNotFoundError: It has none of them.
        ValueError: What it has is damaged.
    """
    if (folder / "tokenizer.json").is_file():
        return load_tokenizer(folder / "tokenizer.json")
    if architecture in _WORDPIECES and (folder / "vocab.txt").is_file():
        return _wordpieces(folder)
    if architecture in ("gpt2", "roberta") and (folder / "merges.txt").is_file():
        return read_byte_pairs(folder / "vocab.json", folder / "merges.txt", roberta=architecture == "roberta")
    raise FileNotFoundError(
        f"A model's folder must hold its tokenizer.json. Received: {folder}, without it. "
        "Save its tokenizer there with AutoTokenizer.from_pretrained(...).save_pretrained(...) of transformers."
    )


def read_byte_pairs(vocab: Path, merges: Path, *, roberta: bool = False) -> Tokenizer:
    """Builds the tokenizer of a vocab.json, each token's id, and a merges.txt, the pairs to join, best first.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: They are damaged, or do not fit each other.
    """
    lines = [
        line for line in merges.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#version")
    ]
    return make_byte_pairs(read_json(vocab), lines, roberta=roberta)


def make_byte_pairs(ids: Mapping[str, int], merges: Sequence[str], *, roberta: bool = False) -> Tokenizer:
    """Builds a byte-level tokenizer of GPT-2 (Radford et al. 2019), or of RoBERTa, which puts texts as <s>text</s>.

    Args:
        ids: Each token's id.
        merges: The pairs of tokens to join, a space between them, best first.
        roberta: Whether it is RoBERTa's.

    Raises:
        ValueError: They do not fit each other.
    """
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>") if roberta else ("<|endoftext|>",)
    missing = [word for word in special if word not in ids]
    if missing:
        raise ValueError(f"A byte-level vocabulary must hold {', '.join(special)}. Received: one without {missing[0]}.")
    try:
        pairs = [(left, right) for left, right in (pair.split(" ") for pair in merges)]
        tokenizer = Tokenizer(models.BPE(dict(ids), pairs))
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"Merges must be pairs of tokens of the vocabulary. Received: others: {error}.") from error
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, lstrip=word == "<mask>", special=True) for word in special])
    if roberta:
        ends = (("</s>", ids["</s>"]), ("<s>", ids["<s>"]))
        tokenizer.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=False)
    else:
        tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def _wordpieces(folder: Path) -> Tokenizer:
    """BERT's tokenizer of vocab.txt, with the case and the accents that a tokenizer_config.json may speak of."""
    file = folder / "tokenizer_config.json"
    settings = read_json(file) if file.is_file() else {}
    return read_vocabulary(
        folder / "vocab.txt",
        lowercase=settings.get("do_lower_case", True),
        strip_accents=settings.get("strip_accents"),
        chinese=settings.get("tokenize_chinese_chars", True),
    )
