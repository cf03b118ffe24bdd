"""Tokenizers of decoders: trained on texts, and exact, so that what is decoded is the text that was encoded.

No text is normalised, and no space is added: a decoder writes what it has read.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Literal

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from ..checks import check_least
from .tokenizer import load_tokenizer, well_formed

END, UNKNOWN = "<|endoftext|>", "<unk>"
CHAT = ("<|im_start|>", "<|im_end|>")  # of ChatML: they open and close a message


@dataclass(frozen=True, kw_only=True)
class DecoderTokenizerConfig:
    """How a decoder reads and writes texts."""

    kind: Literal["bpe", "char"] = "bpe"
    """What a token is: bytes that often stand together, or a character."""
    vocab_size: int = 8192
    """Most tokens in the vocabulary, special ones among them."""
    chat: bool = False
    """Have tokens that open and close a message of a dialogue."""
    file: Path | None = None
    """Use this tokenizer.json instead of training one (kind, vocab_size and chat are then its own)."""
    max_length: int = 128
    """Tokens that are read at once."""

    def __post_init__(self) -> None:
        check_least(self, 1, "max_length")
        least = len(_special(self)) + (256 if self.kind == "bpe" else 2)  # bytes; a character and the unknown ones
        if self.vocab_size < least:
            raise ValueError(
                f"`vocab_size` must hold special tokens and all bytes, or characters: at least {least}. "
                f"Received: {self.vocab_size}."
            )


def make_decoder_tokenizer(texts: Iterable[str], config: DecoderTokenizerConfig) -> Tokenizer:
    """The tokenizer of a decoder from scratch: loaded if `config` names a file, else trained on the texts."""
    return load_tokenizer(config.file) if config.file else train_decoder_tokenizer(texts, config)


def train_decoder_tokenizer(texts: Iterable[str], config: DecoderTokenizerConfig) -> Tokenizer:
    """Trains a tokenizer; the same texts and configuration always give the same one.

    Args:
        texts: The training texts.
        config: The kind, the size of the vocabulary, and whether dialogues are written in it.

    Returns:
        A tokenizer with `END` at id 0, which ends texts and pads, then those of `CHAT` if asked for. "bpe" is GPT-2's
        byte-level one (Radford et al. 2019), which gives any text back; "char" has the most frequent characters, and
        `UNKNOWN` for all others.
    """
    return _KINDS[config.kind]((well_formed(text) for text in texts), config)


def _bpe(texts: Iterable[str], config: DecoderTokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=_special(config),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _char(texts: Iterable[str], config: DecoderTokenizerConfig) -> Tokenizer:
    """The most frequent characters, in the order of their code points."""
    special = [*_special(config), UNKNOWN]
    counts = Counter(chain.from_iterable(texts))
    most = sorted(counts, key=lambda character: (-counts[character], character))[: config.vocab_size - len(special)]
    vocab = {token: number for number, token in enumerate([*special, *sorted(most)])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(_special(config))
    return tokenizer


def _special(config: DecoderTokenizerConfig) -> list[str]:
    return [END, *(CHAT if config.chat else ())]


_KINDS = {"bpe": _bpe, "char": _char}
