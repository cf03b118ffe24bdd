"""From the logits of a text's tokens to the entities in it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tokenizers

from .probabilities import softmax
from .spans import bio_spans, first_pieces, trim, word_offsets


def read_entities(
    text: str, encoding: tokenizers.Encoding, logits: np.ndarray, labels: Sequence[str]
) -> list[dict[str, Any]]:
    """The entities of a text. A word is what the tokenizer calls one, and its first piece speaks for it.

    Args:
        text: The text.
        encoding: Its tokens, none cut off.
        logits: Those of its tokens, special ones not among them: [tokens, labels].
        labels: Their names, as BIO: "O", "B-person", "I-person" and so on.

    Returns:
        The entities in order, each {"entity_group", "score", "word", "start", "end"}: `word` is text[start:end], and
        `score` the mean over its words, 0 to 1.
    """
    own = [place for place, sequence in enumerate(encoding.sequence_ids) if sequence is not None]
    ids, offsets = encoding.word_ids, encoding.offsets
    words, places = [ids[place] for place in own], [offsets[place] for place in own]
    logits = logits[first_pieces(words)]
    scores = softmax(logits).max(axis=-1)
    bounds = word_offsets(places, words)
    entities = []
    for name, start, end in bio_spans([labels[label] for label in logits.argmax(axis=-1)]):
        first, last = trim(text, int(bounds[start, 0]), int(bounds[end - 1, 1]))
        score = float(scores[start:end].mean())
        entities.append({"entity_group": name, "score": score, "word": text[first:last], "start": first, "end": last})
    return entities
