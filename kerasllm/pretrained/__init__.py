"""Pretrained models from where they lie: folders of Hugging Face and KerasHub, read without running code of them."""
