"""A Sequential that `fit` built has the sizes of its first batch: set free what its layers do not need fixed."""

import keras
import numpy as np


def free_sizes(model: keras.Model) -> keras.Model:
    """Traces a Sequential again without the sizes that came with its first batch.

    Args:
        model: Any model. Only a Sequential whose batch size is fixed was built from data, and only that one changes.

    Returns:
        The model itself, or one of the same layers and weights with a free batch size, and a free sequence length
        where its layers allow that.
    """
    if not isinstance(model, keras.Sequential) or not model.built or model.inputs[0].shape[0] is None:
        return model
    (given,) = model.inputs
    _, *rest = given.shape
    # Keras takes the data of such a model for floats, whatever they were; ids are none.
    dtype = "int32" if isinstance(model.layers[0], keras.layers.Embedding) else given.dtype
    for shape in ((None, None, *rest[1:]), (None, *rest)):
        try:
            freed = _traced(model, shape, dtype)
            # Tracing alone misses a Dense on flattened steps: only a call of another length finds it out.
            freed(np.zeros([had + (size is None) for had, size in zip(given.shape, shape, strict=True)], dtype))
        except Exception:  # noqa: S112 (each backend and each layer raises its own kind on sizes that do not fit)
            continue
        return freed
    return model


def _traced(model: keras.Sequential, shape: tuple[int | None, ...], dtype: str) -> keras.Model:
    source = keras.Input(batch_shape=shape, dtype=dtype, name=model.inputs[0].name)
    output = source
    for layer in model.layers:
        output = layer(output)
    return keras.Model(source, output, name=model.name)
