"""Text of tokens as they come, never half a character."""

import codecs
from collections.abc import Callable, Sequence

import tokenizers
from tokenizers import decoders

_REPLACEMENT = "\ufffd"
# An incomplete character has three bytes at most: what is no text after so many tokens never will be.
_INCOMPLETE = 3
# Tokens of the prompt that tell how the text after it is written.
_BEFORE = 8


class TokenText:
    """What a tokenizer decodes without looking at earlier tokens; made once, threads may share it."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        """Reads the tokenizer; it must not change later.

        Args:
            tokenizer: Its decoder, vocabulary and special tokens count.
        """
        self.tokenizer = tokenizer
        self.pieces: list[bytes] | None = None
        if isinstance(tokenizer.decoder, decoders.ByteLevel):
            self.pieces = _byte_pieces(tokenizer)

    def start(self, before: Sequence[int] = ()) -> "Detokenizer":
        """For a text of its own, after the tokens `before`: some decoders write a first token unlike others."""
        return Detokenizer(self, list(before)[-_BEFORE:])


class Detokenizer:
    """The text of one generation. Joined, what it gives is the text of all tokens."""

    def __init__(self, text: TokenText, before: list[int]) -> None:
        self._decode = text.tokenizer.decode
        self._window = before
        self._whole = len(before)  # so many tokens of the window were given, as this text:
        self._given = self._decode(before)
        self._incomplete, self._seen = 0, ""  # tokens that only began a character, and the text with them
        self.push: Callable[[int], str] = self._push_window
        if text.pieces is not None:
            self._pieces = text.pieces
            self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
            self.push = self._push_bytes

    def flush(self) -> str:
        """What is left at the end: of an incomplete character, the replacement character."""
        if self.push == self._push_bytes:
            return self._decoder.decode(b"", final=True)
        rest = self._decode(self._window)[len(self._given) :]
        self._window, self._given, self._whole = [], "", 0
        return rest

    def _push_bytes(self, token: int) -> str:
        """The characters that a token completes."""
        return self._decoder.decode(self._pieces[token]) if token < len(self._pieces) else ""

    def _push_window(self, token: int) -> str:
        """The same for any decoder: text of a window of tokens, less that of those which were given.

        The window starts a few tokens before the new ones: decoders treat the first token of a text unlike others.
        """
        self._window.append(token)
        text = self._decode(self._window)
        if text.endswith(_REPLACEMENT):
            self._incomplete += text != self._seen  # special tokens in between have no text
            self._seen = text
            if self._incomplete <= _INCOMPLETE:
                return ""
        self._incomplete, self._seen = 0, ""
        piece = text[len(self._given) :]
        if not piece:
            del self._window[self._whole + _BEFORE :]  # special tokens have no text, however many there are
            return ""
        self._window = self._window[self._whole :]
        self._whole, self._given = len(self._window), self._decode(self._window)
        return piece


def _byte_pieces(tokenizer: tokenizers.Tokenizer) -> list[bytes]:
    """The bytes of every token, none of special ones.

    Byte-level vocabularies write a byte as a printable character (Radford et al. 2019); added tokens may be plain text.
    """
    byte_of = {character: number for number, character in enumerate(_characters())}
    special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    pieces = [b""] * (max(vocabulary.values(), default=-1) + 1)
    for token, number in vocabulary.items():
        if number not in special:
            known = [byte_of.get(character) for character in token]
            pieces[number] = token.encode() if None in known else bytes(b for b in known if b is not None)
    return pieces


def _characters() -> list[str]:
    """The character that stands for each of the 256 bytes: itself where printable, else the next from U+0100 on."""
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    characters, following = [], 0x100
    for byte in range(256):
        characters.append(chr(byte if byte in printable else following))
        following += byte not in printable
    return characters
