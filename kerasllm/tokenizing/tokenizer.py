"""Tokenizers: trained on the training texts, or any `tokenizer.json`; the one file that training and serving share.

This module needs only numpy and `tokenizers`, so that the serving side can use the very same `encode`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from tokenizers import Encoding, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from ..atomic import replace_file
from ..checks import check_least

PAD, UNK = "[PAD]", "[UNK]"  # ids 0 and 1 in every tokenizer trained here
# Decoders often have no token of their own for it; padding is never seen, so any that they have will do.
_PADS = (PAD, "<pad>", "<PAD>", "<|pad|>", "<|endoftext|>", "<|end_of_text|>", "</s>")
_UNKS = (UNK, "<unk>", "<UNK>")


@dataclass(frozen=True, kw_only=True)
class TokenizerConfig:
    """How texts become token ids."""

    kind: Literal["word", "wordpiece", "bpe", "char"] = "word"
    """What a token is: a word, a WordPiece, a byte-level BPE piece, or a character."""
    vocab_size: int = 10_000
    """Most tokens in the vocabulary, [PAD] and [UNK] among them."""
    lowercase: bool = True
    """Lower-case texts first."""
    file: Path | None = None
    """Use this tokenizer.json instead of training one (kind, vocab_size and lowercase are then its own)."""
    max_length: int = 256
    """Tokens kept of each text; the rest is cut off at the end."""

    def __post_init__(self) -> None:
        check_least(self, 1, "max_length")
        if self.vocab_size < 3:
            raise ValueError(f"`vocab_size` must hold [PAD], [UNK] and more: at least 3. Received: {self.vocab_size}.")
        if self.kind == "bpe" and self.vocab_size < 258:
            raise ValueError(
                f"A byte-level vocabulary holds 256 bytes, [PAD] and [UNK]: "
                f"`vocab_size` must be at least 258. Received: {self.vocab_size}."
            )


def make_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """The tokenizer that `config` asks for: loaded if it names a file, else trained on `texts`."""
    return load_tokenizer(config.file) if config.file else train_tokenizer(texts, config)


def train_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Trains a tokenizer; the same texts and configuration always give the same one.

    "word" and "wordpiece" clean and split as BERT does, accents kept, so every Chinese character is a word of its own.

    Args:
        texts: The training texts.
        config: The kind, the size of the vocabulary, the case.

    Returns:
        A tokenizer with [PAD] at id 0 and [UNK] at id 1, that neither pads nor truncates.
    """
    return _KINDS[config.kind]([well_formed(text) for text in texts], config)


def load_tokenizer(path: Path) -> Tokenizer:
    """Reads a `tokenizer.json`; padding and truncation that it may ask for are switched off, for `encode` decides.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is broken, or has no token to pad with.
    """
    if not path.is_file():
        raise FileNotFoundError(f"A tokenizer must be a tokenizer.json file. Received: {path}, where there is none.")
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises bare Exception
        raise ValueError(f"A tokenizer must be a whole tokenizer.json. Received: {path}, broken: {error}.") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    pad_id(tokenizer)
    return tokenizer


def tokenizer_json(tokenizer: Tokenizer) -> str:
    """The tokenizer as the text of a `tokenizer.json`, with no padding and no truncation in it."""
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.no_padding()
    plain.no_truncation()
    return plain.to_str(pretty=True)


def save_tokenizer(tokenizer: Tokenizer, path: Path) -> None:
    """Writes the tokenizer's `tokenizer_json` to a file, whole or not at all."""
    with replace_file(path) as temporary:
        temporary.write_text(tokenizer_json(tokenizer), encoding="utf-8")


def pad_id(tokenizer: Tokenizer) -> int:
    """The id to pad with: that of [PAD], or of another tokenizer's name for it."""
    found = _first_id(tokenizer, _PADS)
    if found is None:
        raise ValueError(
            f"A tokenizer must have a token to pad with, one of {', '.join(_PADS)}. "
            f"Received: one of {vocab_size(tokenizer)} tokens without it. Add one to its tokenizer.json."
        )
    return found


def unk_id(tokenizer: Tokenizer) -> int | None:
    """The id of [UNK], or of another tokenizer's name for it; None where nothing is unknown (byte level)."""
    return _first_id(tokenizer, _UNKS)


def vocab_size(tokenizer: Tokenizer) -> int:
    """Rows that an embedding needs: the largest id, plus one."""
    return max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1


def id_dtype(tokenizer: Tokenizer) -> np.dtype:
    """What ids are kept as: uint16 where the vocabulary fits, else int32."""
    return np.dtype(np.uint16 if vocab_size(tokenizer) <= 2**16 else np.int32)


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_length: int) -> list[np.ndarray]:
    """Texts to token ids, the only way there is, in training as in serving.

    The first `max_length` ids are kept, special tokens of the tokenizer's post-processor among them. A text that
    holds no token at all becomes one [UNK] (or padding token), so that every text has something to answer for.
    The tokenizer is left with its truncation at `max_length`.

    Args:
        tokenizer: A trained or loaded tokenizer.
        texts: Any strings; a lone surrogate counts as U+FFFD.
        max_length: Most ids a text, at least 1.

    Returns:
        One int32 [tokens] array a text, tokens in 1..max_length.

    Raises:
        ValueError: The tokenizer's special tokens alone fill `max_length`.
    """
    _truncate(tokenizer, max_length)
    unknown = unk_id(tokenizer)
    empty = [pad_id(tokenizer) if unknown is None else unknown]
    encodings = tokenizer.encode_batch_fast([well_formed(text) for text in texts])
    return [np.array(encoding.ids or empty, np.int32) for encoding in encodings]


def encode_pairs(
    tokenizer: Tokenizer, firsts: Sequence[str], seconds: Sequence[str], max_length: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of texts to token ids and segments, the only way there is, in training as in serving.

    Of a pair that is too long the longer text loses tokens at its end, until the pair fits.
    The tokenizer is left with its truncation at `max_length`.

    Args:
        tokenizer: One whose post-processor joins two texts, as "[CLS] first [SEP] second [SEP]".
        firsts: Any strings.
        seconds: As many.
        max_length: Most ids a pair.

    Returns:
        For each pair its ids, int32 [tokens], and the segment of each, 0 or 1, uint8 [tokens].

    Raises:
        ValueError: The numbers of texts differ, the tokenizer does not join texts, or its special tokens alone fill
            `max_length`.
    """
    if len(firsts) != len(seconds):
        raise ValueError(f"Each first text needs a second one. Received: {len(firsts)} and {len(seconds)}.")
    encodings = encode_all(tokenizer, list(zip(firsts, seconds, strict=True)), max_length)
    return [(np.array(encoding.ids, np.int32), np.array(encoding.type_ids, np.uint8)) for encoding in encodings]


def encode_all(
    tokenizer: Tokenizer, texts: Sequence[str] | Sequence[tuple[str, str]], max_length: int | None
) -> list[Encoding]:
    """Texts, or pairs of texts, as `tokenizers` gives them: ids with offsets, words, sequences and special tokens.

    Args:
        tokenizer: As `encode` and `encode_pairs` take it.
        texts: Any strings, or pairs of them.
        max_length: Most ids; None: as many as there are, and the tokenizer is left without truncation.

    Returns:
        One `tokenizers.Encoding` a text or pair; offsets count characters (code points) of the text.

    Raises:
        ValueError: The tokenizer does not join texts, or its special tokens alone fill `max_length`.
    """
    pairs = bool(texts) and not isinstance(texts[0], str)
    if pairs and tokenizer.num_special_tokens_to_add(True) < 1:
        raise ValueError(
            "A tokenizer for pairs must set them apart, as [CLS] first [SEP] second [SEP] does. "
            "Received: one whose post-processor adds no token. Take an encoder's tokenizer."
        )
    if max_length is None:
        tokenizer.no_truncation()
    else:
        _truncate(tokenizer, max_length, pairs)
    return tokenizer.encode_batch([_clean(text) for text in texts])


def _word(texts: list[str], config: TokenizerConfig) -> Tokenizer:
    tokenizer = _bert_like(models.WordLevel(unk_token=UNK), config)
    _train_words(tokenizer, texts, config.vocab_size)
    return tokenizer


def _char(texts: list[str], config: TokenizerConfig) -> Tokenizer:
    tokenizer = _bert_like(models.WordLevel(unk_token=UNK), config, separate_chinese=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    _train_words(tokenizer, texts, config.vocab_size)
    return tokenizer


def _bpe(texts: list[str], config: TokenizerConfig) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), *([normalizers.Lowercase()] * config.lowercase)])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        special_tokens=[PAD, UNK],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _wordpiece(texts: list[str], config: TokenizerConfig) -> Tokenizer:
    """WordPiece; every character that continues a word is given to the trainer beforehand, in order.

    Left to itself it numbers them in the order of a hash map, and the same texts give another vocabulary each time.
    """
    words = _bert_like(models.WordLevel(unk_token=UNK), config)
    _train_words(words, texts, vocab_size=2**31)
    inner = sorted({f"##{character}" for word in words.get_vocab() for character in word[1:]})
    training = _bert_like(models.WordPiece(unk_token=UNK), config)
    given = [PAD, UNK, *inner]
    training.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=config.vocab_size, special_tokens=given, show_progress=False)
    )
    vocab = training.get_vocab()
    if len(vocab) > config.vocab_size:
        raise ValueError(
            "A WordPiece vocabulary holds every character of the training texts, so for these `vocab_size` "
            f"must be at least {len(vocab)}. Received: {config.vocab_size}."
        )
    tokenizer = _bert_like(models.WordPiece(vocab, unk_token=UNK), config)
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([PAD, UNK])
    return tokenizer


def _train_words(tokenizer: Tokenizer, texts: list[str], vocab_size: int) -> None:
    """Gives a word-level model its most frequent words."""
    trainer = trainers.WordLevelTrainer(vocab_size=vocab_size, special_tokens=[PAD, UNK], show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)


def _bert_like(model: models.Model, config: TokenizerConfig, *, separate_chinese: bool = True) -> Tokenizer:
    """Cleans and splits as BERT does, accents kept; of parts that other readers of tokenizer.json know too."""
    tokenizer = Tokenizer(model)
    bert = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=separate_chinese, strip_accents=False, lowercase=config.lowercase
    )
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), bert])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer


_KINDS = {"word": _word, "wordpiece": _wordpiece, "bpe": _bpe, "char": _char}


def _truncate(tokenizer: Tokenizer, max_length: int, pairs: bool = False) -> None:
    special = tokenizer.num_special_tokens_to_add(pairs)
    if max_length <= special:
        raise ValueError(
            f"`max_length` must leave room for text beside {special} special tokens. Received: {max_length}."
        )
    if tokenizer.truncation is None or tokenizer.truncation["max_length"] != max_length:
        tokenizer.enable_truncation(max_length, strategy="longest_first")


def _clean(text: str | tuple[str, str]) -> str | tuple[str, str]:
    return well_formed(text) if isinstance(text, str) else (well_formed(text[0]), well_formed(text[1]))


def _first_id(tokenizer: Tokenizer, names: Sequence[str]) -> int | None:
    ids = (tokenizer.token_to_id(name) for name in names)
    return next((number for number in ids if number is not None), None)


def well_formed(text: str) -> str:
    """Lone surrogates (half a character, as in some JSON) replaced, which UTF-8 and `tokenizers` refuse."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
