"""Decoders: one graph that reads prompts and writes tokens, with keys and values of earlier tokens going in and out."""
