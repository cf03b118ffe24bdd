"""The learning rate over a training run, in Keras's own schedules: a resumed optimizer knows its place in them."""

from typing import Any

from ..extras import require


def learning_rate(
    schedule: str, peak: float, steps: int, *, warmup: float = 0.0, drops: tuple[float, ...] = (), factor: float = 0.1
) -> Any:
    """The learning rate as a function of the step, which optimizers take as they take a number.

    Args:
        schedule: "constant"; "cosine", which falls to zero as half a cosine after it has risen from zero over the
            warm-up (Loshchilov and Hutter 2017, SGDR, without restarts); or "piecewise", cut at each drop.
        peak: The highest rate.
        steps: Steps of the whole training.
        warmup: Share of the steps that cosine takes to rise, 0 to below 1.
        drops: Shares of the steps after which piecewise cuts the rate, 0 to 1, rising.
        factor: What piecewise multiplies the rate by at each drop.

    Returns:
        `peak`, or a `keras.optimizers.schedules.LearningRateSchedule`.
    """
    schedules = require("train", "keras").optimizers.schedules
    if schedule == "cosine":
        rise = round(steps * warmup)
        if rise == 0:
            return schedules.CosineDecay(peak, steps)
        return schedules.CosineDecay(0.0, max(1, steps - rise), warmup_target=peak, warmup_steps=rise)
    if schedule == "piecewise":
        boundaries = [round(steps * drop) for drop in drops]
        return schedules.PiecewiseConstantDecay(boundaries, [peak * factor**index for index in range(len(drops) + 1)])
    return peak
