"""A small vocabulary and encoders on it, for tests of tasks."""

from tokenizers import Tokenizer

from kerasllm.models.encoder import Encoder, EncoderConfig, open_encoder
from kerasllm.tokenizing.bert_tokenizer import train_bert_tokenizer
from kerasllm.tokenizing.tokenizer import TokenizerConfig

ANIMALS = ("cat", "dog", "horse", "cow", "hen", "duck")
PLACES = ("house", "garden", "barn", "field")


def sentences() -> list[str]:
    """One sentence for each animal and place."""
    return [f"the {animal} sleeps in the {place} ." for animal in ANIMALS for place in PLACES]


def small_tokenizer() -> Tokenizer:
    """WordPieces of those sentences: every word is one piece, but for words that are not in them."""
    return train_bert_tokenizer(sentences(), TokenizerConfig(vocab_size=120))


def small_encoder(architecture: str = "bert", *, dropout: float = 0.0, positions: int = 32) -> Encoder:
    """Two layers of width 16, with fresh weights."""
    sizes = {"layers": 2, "heads": 2, "hidden": 16, "intermediate": 32, "positions": positions}
    config = EncoderConfig(encoder="tiny", architecture=architecture, dropout=dropout, **sizes)
    return open_encoder(config, small_tokenizer())
