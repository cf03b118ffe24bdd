"""How good answers are: one file a kind of answer."""
