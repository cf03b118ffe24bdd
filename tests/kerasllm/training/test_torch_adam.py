"""All variables together move as each would by the formulas of Kingma and Ba, and of Loshchilov and Hutter."""

import numpy as np
import pytest

from kerasllm.training.torch_adam import step_together

FACTORS, DECAYS, EPSILON = (1.0, 0.5, 0.25), (0.1, 0.0, 0.2), 1e-7


def test_variables_move_by_the_formulas():
    torch = pytest.importorskip("torch", reason="no torch (pip install torch)")
    random = np.random.default_rng(0)
    shapes = ((4, 3), (2, 3), (3,))
    expected = [random.normal(0, 1, shape) for shape in shapes]
    variables = [torch.tensor(array, dtype=torch.float32) for array in expected]
    first, second = ([torch.zeros(shape) for shape in shapes] for _ in range(2))
    moments = [[np.zeros(shape), np.zeros(shape)] for shape in shapes]
    for number in range(1, 4):
        gradients, rate = [random.normal(0, 2, shape) for shape in shapes], 0.1 / number
        for at, gradient in enumerate(gradients):
            m, v = moments[at] = [0.9 * moments[at][0] + 0.1 * gradient, 0.999 * moments[at][1] + 0.001 * gradient**2]
            own = rate * FACTORS[at]
            expected[at] *= 1 - own * DECAYS[at]
            expected[at] -= own * np.sqrt(1 - 0.999**number) / (1 - 0.9**number) * m / (np.sqrt(v) + EPSILON)
        step_together(
            variables,
            [torch.tensor(gradient, dtype=torch.float32) for gradient in gradients],
            first,
            second,
            rate=torch.tensor(rate),
            number=torch.tensor(float(number)),
            factors=FACTORS,
            decays=DECAYS,
            betas=(0.9, 0.999),
            epsilon=EPSILON,
        )
    for variable, array in zip(variables, expected, strict=True):
        np.testing.assert_allclose(variable.numpy(), array, atol=1e-5)
