"""A RUN or a BUNDLE scored on its task's examples: the same examples, tokens and metrics for both."""
