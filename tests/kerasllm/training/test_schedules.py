import keras
import numpy as np
import pytest

from kerasllm.training.schedules import learning_rate


def test_constant_is_a_number():
    assert learning_rate("constant", 0.01, 100) == 0.01


def test_cosine_rises_to_the_peak_and_falls_to_zero():
    rate = learning_rate("cosine", 0.4, 100, warmup=0.2)
    values = np.array([float(rate(step)) for step in range(101)])
    assert values[0] == 0
    assert values.argmax() == 20
    assert values[20] == pytest.approx(0.4)
    assert values[60] == pytest.approx(0.2)  # half way down
    assert values[100] == pytest.approx(0, abs=1e-7)
    assert float(rate(1000)) == pytest.approx(0, abs=1e-7)


def test_cosine_without_warmup_starts_at_the_peak():
    assert float(learning_rate("cosine", 0.4, 100)(0)) == pytest.approx(0.4)


def test_piecewise_is_cut_at_each_drop():
    rate = learning_rate("piecewise", 1.0, 100, drops=(0.5, 0.8), factor=0.1)
    assert [float(rate(step)) for step in (0, 50, 51, 80, 81)] == pytest.approx([1, 1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("schedule", ["cosine", "piecewise"])
def test_a_schedule_goes_on_from_the_step_of_the_optimizer(schedule):
    options = {"warmup": 0.1, "drops": (0.5,)}
    optimizer = keras.optimizers.Adam(learning_rate(schedule, 0.3, 10, **options))
    optimizer.build([])
    optimizer.iterations.assign(7)
    assert float(optimizer.learning_rate) == pytest.approx(float(learning_rate(schedule, 0.3, 10, **options)(7)))
