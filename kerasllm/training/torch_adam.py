"""Adam's step on PyTorch: a few kernels for all variables together, where one by one each costs a dozen launches."""

from collections.abc import Sequence
from typing import Any


def step_together(
    variables: list[Any],
    gradients: list[Any],
    momentums: list[Any],
    velocities: list[Any],
    *,
    rate: Any,
    number: Any,
    factors: Sequence[float],
    decays: Sequence[float],
    betas: tuple[float, float],
    epsilon: float,
) -> None:
    """Moves variables in place, as `kerasllm.training.optimizers.AdamW.update_step` moves one.

    Args:
        variables: Tensors on one device, float32 of any shapes.
        gradients: A tensor for each.
        momentums: Adam's first moments, moved too.
        velocities: Adam's second moments, moved too.
        rate: The learning rate, a tensor [].
        number: The number of the step, from 1, a tensor []; no number is read from the device.
        factors: What the learning rate of each variable is multiplied by.
        decays: Share of each variable that is taken away, times its learning rate.
        betas: How much of the moments stays.
        epsilon: Added to the root of the second ones.
    """
    import torch

    first, second = betas
    decayed = [index for index, decay in enumerate(decays) if decay]
    if decayed:
        shares = torch._foreach_mul([variables[at] for at in decayed], [factors[at] * decays[at] for at in decayed])
        torch._foreach_mul_(shares, rate)
        torch._foreach_sub_([variables[at] for at in decayed], shares)
    torch._foreach_lerp_(momentums, gradients, 1 - first)
    torch._foreach_lerp_(velocities, torch._foreach_mul(gradients, gradients), 1 - second)
    roots = torch._foreach_sqrt(velocities)
    torch._foreach_add_(roots, epsilon)
    moves = torch._foreach_div(momentums, roots)
    torch._foreach_mul_(moves, list(factors))
    torch._foreach_mul_(moves, rate * torch.sqrt(1 - second**number) / (1 - first**number))
    torch._foreach_sub_(variables, moves)
