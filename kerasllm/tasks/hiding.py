"""Tokens hidden from a model in training, drawn anew every step, so that it learns to do without any one of them.

Source: "BERT", Devlin et al. 2019, for [MASK] as what stands in their place; as a regularizer of another task it is the
word dropout of "Deep Unordered Composition Rivals Syntactic Methods for Text Classification", Iyyer et al. 2015.
"""

from typing import TYPE_CHECKING

import numpy as np
from tokenizers import Tokenizer

from ..data.masking import mask_vocabulary
from ..tokenizing.tokenizer import vocab_size

if TYPE_CHECKING:
    import keras


def hide_tokens(model: "keras.Model", tokenizer: Tokenizer, share: float) -> "keras.Model":
    """A model that sees [MASK] instead of some of its tokens in training, and all of them otherwise.

    Args:
        model: Reads "input_ids", int32 [batch, sequence], among other inputs.
        tokenizer: What the ids mean.
        share: Probability that a token is hidden, 0 to below 1; the special ones never are.

    Returns:
        A model with the same inputs, outputs and weights.

    Raises:
        ValueError: The tokenizer has no [MASK].
    """
    import keras
    from keras import ops

    vocabulary = mask_vocabulary(tokenizer)
    inputs = {tensor.name: tensor for tensor in model.inputs}
    ids = inputs["input_ids"]
    kept = keras.layers.Dropout(share, name="hidden_tokens")(ops.ones_like(ids, dtype="float32"))
    ordinary = np.isin(np.arange(vocab_size(tokenizer)), vocabulary.ordinary)
    hidden = ops.logical_and(ops.take(ordinary, ids), ops.equal(kept, 0))
    seen = ops.where(hidden, vocabulary.mask_id, ids)
    return keras.Model(inputs, model({**inputs, "input_ids": seen}), name=model.name)
