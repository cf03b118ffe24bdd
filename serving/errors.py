"""The one error of a bundle that cannot be served."""


class BundleError(ValueError):
    """A bundle that is missing, foreign, damaged or newer than this version: one sentence with the way out."""
