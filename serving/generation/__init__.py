"""Text generation: a decoder's graph, one buffer of keys and values, and what is made of its logits."""
