"""What can go wrong with a bundle, and with a server that has too much to do."""


class BundleError(ValueError):
    """A bundle that is missing, foreign, damaged or newer than this version: one sentence with the way out."""


class QueueFull(RuntimeError):  # noqa: N818 - as queue.Full
    """More work waits than may; it can be asked for again a little later."""


class Closed(RuntimeError):  # noqa: N818 - a state, no mistake
    """What should do the work is shutting down, or was shut down."""
