"""The optimizer: AdamW with a learning rate of each variable's own, its whole step compiled as one."""

from collections.abc import Sequence
from typing import Any

import keras

from .torch_adam import step_together

# Weights that shift or scale; pulling them towards zero only does harm.
_NEVER_DECAYED = ("bias", "beta", "gamma", "scale")


class AdamW(keras.optimizers.Adam):
    """Adam with decoupled weight decay, a learning rate and a decay of each variable's own.

    Sources: "Adam: A Method for Stochastic Optimization", Kingma and Ba 2014; "Decoupled Weight Decay
    Regularization", Loshchilov and Hutter 2017, where the decay of a variable is times its learning rate.

    Without compilation TensorFlow runs a dozen small operations a variable, each of which reads and writes all of it;
    compiled, there is one pass. Shapes of variables never change, so it is compiled once.
    """

    def __init__(
        self,
        learning_rate: Any,
        variables: Sequence[Any],
        *,
        factors: Sequence[float],
        weight_decay: float,
        compiled: bool,
        **options: Any,
    ):
        """Makes the optimizer's state for the variables.

        Args:
            learning_rate: A number or a schedule.
            variables: The trainable variables, in the order in which gradients will come.
            factors: What the learning rate of each variable is multiplied by.
            weight_decay: Share of a variable that is taken away, times its learning rate, every step; biases and the
                shifts and scales of normalization stay.
            compiled: Compile the step (XLA): for TensorFlow with one device.
            options: As `keras.optimizers.Adam` takes them.
        """
        super().__init__(learning_rate, **options)
        self._factors = tuple(factors)
        self._decays = tuple(0.0 if variable.name in _NEVER_DECAYED else weight_decay for variable in variables)
        self._compiled: Any = None
        if compiled:
            import tensorflow as tf

            self._compiled = tf.function(self._apply, jit_compile=True, autograph=False)
        self.build(variables)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Moves one variable."""
        index = self._get_variable_index(variable)
        rate = keras.ops.cast(learning_rate, variable.dtype) * self._factors[index]
        if self._decays[index]:
            self.assign_sub(variable, variable * rate * self._decays[index])
        super().update_step(gradient, variable, rate)

    def _backend_update_step(self, grads: list[Any], trainable_variables: list[Any], learning_rate: Any) -> None:
        """Moves the variables: on PyTorch together, elsewhere one after the other."""
        if keras.backend.backend() != "torch":
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        places = [self._get_variable_index(variable) for variable in trainable_variables]
        step_together(
            [variable.value for variable in trainable_variables],
            grads,
            [self._momentums[place].value for place in places],
            [self._velocities[place].value for place in places],
            rate=keras.ops.cast(learning_rate, "float32"),
            number=keras.ops.cast(self.iterations + 1, "float32"),
            factors=[self._factors[place] for place in places],
            decays=[self._decays[place] for place in places],
            betas=(self.beta_1, self.beta_2),
            epsilon=self.epsilon,
        )

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None) -> None:
        """Moves every variable by its gradient."""
        if self._compiled is None:
            super().apply(grads, trainable_variables)
            return
        import tensorflow as tf

        # An embedding's gradient has as many rows as the batch has tokens, another number each time.
        self._compiled([None if gradient is None else tf.convert_to_tensor(gradient) for gradient in grads])

    def _apply(self, grads: list[Any]) -> None:
        super().apply(grads, self._trainable_variables)
