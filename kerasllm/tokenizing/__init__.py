"""From texts and dialogues to tokens: tokenizers that are trained, or those of pretrained models."""
