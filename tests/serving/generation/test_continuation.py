"""A text in progress, from logits that are made up."""

import numpy as np
import pytest

from kerasllm.serving.generation.continuation import Continuation
from kerasllm.serving.generation.detokenizer import TokenText
from kerasllm.serving.generation.options import GenerationOptions

from .tiny_decoder import byte_tokenizer

TOKENIZER = byte_tokenizer()
TEXT = TokenText(TOKENIZER)


def write(said, room=100, **options):
    """A continuation whose model says a text and then ends it; and the pieces that a stream shows."""
    ids = [*TOKENIZER.encode(said).ids, 256]
    text = Continuation([1], GenerationOptions(**options), TEXT, ends=frozenset([256]), room=room, vocab_size=257)
    pieces = []
    for token in ids:
        text.take(np.eye(257, dtype=np.float32)[token])
        piece = text.piece()
        if piece:
            pieces.append(piece)
        if text.finish_reason:
            break
    return text.result(), pieces


@pytest.mark.parametrize(
    ("said", "options", "text", "reason", "tokens"),
    [
        ("héllo", {}, "héllo", "stop", 6),
        ("héllo", {"max_new_tokens": 2}, "h\ufffd", "length", 2),
        ("hello", {"room": 3}, "hel", "length", 3),
        ("hello world", {"stop": "o w"}, "hell", "stop", 7),
        ("hello wo", {"stop": "world"}, "hello wo", "stop", 8),
        ("hello wo", {"stop": "world", "max_new_tokens": 8}, "hello wo", "length", 8),
        ("ab\u00e9", {"stop": "\ufffd", "max_new_tokens": 3}, "ab", "stop", 3),
    ],
)
def test_why_a_text_ends(said, options, text, reason, tokens):
    result, pieces = write(said, **options)
    assert (result.text, result.finish_reason, len(result.token_ids)) == (text, reason, tokens)
    assert "".join(piece.text for piece in pieces) == text
    assert pieces[-1].finish_reason == reason
    assert [token for piece in pieces for token in piece.token_ids] == result.token_ids


def test_pieces_have_whole_characters():
    _, pieces = write("a日🙂")
    assert [piece.text for piece in pieces] == ["a", "日", "🙂", ""]
    assert [len(piece.token_ids) for piece in pieces] == [1, 3, 4, 0]
