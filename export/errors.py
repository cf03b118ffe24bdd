"""The one error of a failed export."""


class ExportError(RuntimeError):
    """An export that cannot be done faithfully: the message names the part, what was found and the way out."""
