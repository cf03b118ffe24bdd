"""BERT's tokenizer: trained on texts for an encoder from scratch, or built from the vocab.txt of a pretrained one.

It splits and lower-cases as Devlin et al. 2018 (BERT) do, cuts words into WordPieces (Wu et al. 2016), and puts texts
as "[CLS] text [SEP]" and pairs as "[CLS] first [SEP] second [SEP]".
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from .tokenizer import PAD, UNK, TokenizerConfig, load_tokenizer, train_tokenizer

CLS, SEP, MASK = "[CLS]", "[SEP]", "[MASK]"
SPECIAL = (PAD, UNK, CLS, SEP, MASK)  # ids 0 to 4 of a trained one


def train_bert_tokenizer(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Trains WordPieces on the texts; the same texts and configuration always give the same tokenizer.

    Args:
        texts: The training texts.
        config: The size of the vocabulary, special tokens among them, and the case; the kind is always WordPiece.

    Returns:
        A tokenizer with [PAD], [UNK], [CLS], [SEP] and [MASK] at ids 0 to 4.

    Raises:
        ValueError: The vocabulary cannot hold the characters of the texts.
    """
    extra = SPECIAL[2:]
    trained = train_tokenizer(texts, replace(config, kind="wordpiece", vocab_size=config.vocab_size - len(extra)))
    words = [word for word, _ in sorted(trained.get_vocab().items(), key=lambda item: item[1]) if word not in SPECIAL]
    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate((*SPECIAL, *words))}, unk_token=UNK))
    tokenizer.normalizer = trained.normalizer
    return _complete(tokenizer)


def make_pieces(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """The tokenizer of an encoder from scratch: loaded if `config` names a file, else trained on the texts."""
    return load_tokenizer(config.file) if config.file else train_bert_tokenizer(texts, config)


def read_vocabulary(path: Path, **options: Any) -> Tokenizer:
    """Builds the tokenizer of a vocab.txt: a token a line, its id the number of the line.

    Args:
        path: The file.
        **options: Those of `make_bert_tokenizer`.

    Returns:
        The tokenizer.

    Raises:
        ValueError: A token that BERT needs is not there, or a line is there twice.
    """
    words = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    try:
        return make_bert_tokenizer([word.removesuffix("\r") for word in words], **options)
    except ValueError as error:
        raise ValueError(f"{error} It was read from {path}.") from error


def make_bert_tokenizer(
    words: Sequence[str], *, lowercase: bool, strip_accents: bool | None = None, chinese: bool = True
) -> Tokenizer:
    """Builds BERT's tokenizer of its vocabulary.

    Args:
        words: The tokens in the order of their ids.
        lowercase: Lower-case texts first.
        strip_accents: Take accents off letters; None: where it lower-cases, as BERT does.
        chinese: Make every Chinese character a word.

    Returns:
        The tokenizer.

    Raises:
        ValueError: A token that BERT needs is not there, or one is there twice.
    """
    vocab = {word: index for index, word in enumerate(words)}
    missing = [word for word in SPECIAL[:4] if word not in vocab]
    if missing or len(vocab) < len(words):
        what = f"without {', '.join(missing)}" if missing else f"with {len(words) - len(vocab)} twice"
        raise ValueError(
            f"A vocabulary must hold each token once, BERT's special ones among them. Received: {len(words)} tokens, "
            f"{what}."
        )
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=UNK))
    tokenizer.normalizer = normalizers.BertNormalizer(
        clean_text=True, handle_chinese_chars=chinese, strip_accents=strip_accents, lowercase=lowercase
    )
    return _complete(tokenizer)


def _complete(tokenizer: Tokenizer) -> Tokenizer:
    """Gives a WordPiece model what surrounds it in BERT."""
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(word, tokenizer.token_to_id(word)) for word in (CLS, SEP)],
    )
    tokenizer.add_special_tokens([word for word in SPECIAL if tokenizer.token_to_id(word) is not None])
    return tokenizer
