"""Two readings of every text in training, each with other values dropped, that must agree.

Source: "R-Drop: Regularized Dropout for Neural Networks", Liang et al. 2021.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

Loss = Callable[[Any, Any], Any]


def read_twice(model: "keras.Model") -> "keras.Model":
    """A model that reads every text of a batch twice, side by side, so that dropout is drawn for each reading.

    Args:
        model: From arrays [batch, ...] to logits [batch, classes].

    Returns:
        A model with the same inputs and weights, and logits [batch, 2, classes].
    """
    import keras
    from keras import ops

    inputs = {tensor.name: tensor for tensor in model.inputs}
    logits = model({name: ops.concatenate([tensor, tensor]) for name, tensor in inputs.items()})
    readings = ops.reshape(logits, (2, -1, logits.shape[-1]))
    return keras.Model(inputs, ops.transpose(readings, (1, 0, 2)), name=model.name)


def agreeing(loss: Loss, strength: float, *, multi_label: bool = False) -> Loss:
    """The mean loss of both readings, and what they differ by.

    Args:
        loss: From labels and logits [batch, classes] to a number, or one an example.
        strength: What the difference counts: the paper's alpha. As both losses are averaged here, not added, so is
            what they differ by: half of alpha times the mean of the two Kullback-Leibler divergences.
        multi_label: Every class for itself (sigmoid), not one of all (softmax).

    Returns:
        A loss of labels and the logits of `read_twice`.
    """

    def both(labels: Any, logits: Any) -> Any:
        first, second = logits[:, 0], logits[:, 1]
        known = (loss(labels, first) + loss(labels, second)) / 2
        return known + strength / 2 * divergence(first, second, multi_label=multi_label)

    return both


def divergence(first: Any, second: Any, *, multi_label: bool) -> Any:
    """The mean of the Kullback-Leibler divergences in both directions, in nats: logits [batch, classes] -> [batch]."""
    from keras import ops

    if multi_label:  # of p and 1 - p together: (p - q) (logit of p - logit of q)
        apart = (ops.sigmoid(first) - ops.sigmoid(second)) * (first - second)
    else:
        apart = (ops.softmax(first) - ops.softmax(second)) * (ops.log_softmax(first) - ops.log_softmax(second))
    return ops.sum(apart, axis=-1) / 2
