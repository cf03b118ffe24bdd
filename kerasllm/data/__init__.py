"""From labelled texts to batches: sources, cleaning, token arrays on disk, batches.

Nothing here imports TensorFlow before `batches` is called, or a `tfds:` source read.
"""

from .augmentation import AugmentationConfig
from .batches import BatchConfig, balanced_weights, batches, in_dataset_order, steps
from .dataset import Split, TextDataset
from .sources import DataConfig, load_dataset, load_for_evaluation
from .tokens import TokenSplit, token_cache

__all__ = [
    "AugmentationConfig",
    "BatchConfig",
    "DataConfig",
    "Split",
    "TextDataset",
    "TokenSplit",
    "balanced_weights",
    "batches",
    "in_dataset_order",
    "load_dataset",
    "load_for_evaluation",
    "steps",
    "token_cache",
]
