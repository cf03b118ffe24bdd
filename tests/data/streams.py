"""Token streams of documents, as tests write them down."""

import numpy as np

from kerasllm.data.token_stream import BEGINS, SPECIAL, TokenStream


def stream(documents, separator, dtype=np.uint16):
    """The stream of documents of ids, each of which begins a word."""
    ids = [number for document in documents for number in (separator, *document)] + [separator]
    starts = np.cumsum([0, *(len(document) + 1 for document in documents)])
    marks = np.full(len(ids), BEGINS, np.uint8)
    marks[starts] = SPECIAL
    return TokenStream(np.array(ids, dtype), starts, marks)
