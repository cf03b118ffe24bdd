"""What stops a training."""


class TrainingError(RuntimeError):
    """A training that cannot go on; what it had reached is in its RUN folder."""


def not_finite(loss: float, epoch: int, where: str) -> str:
    """What to say when loss or weights are no numbers any more, in an epoch counted from 0."""
    return (
        f"Loss and weights must stay finite. Received: a loss of {loss} in epoch {epoch + 1}, {where}. "
        "Try a lower learning rate, a smaller clip_norm, or no mixed precision; the epochs before are kept."
    )
