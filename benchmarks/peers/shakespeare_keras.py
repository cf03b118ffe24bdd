"""Training steps of kerasllm at nanoGPT's setting for a CPU: tokens/s as JSON."""

import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from kerasllm.models.causal_models import DecoderShape, build_causal_lm
from kerasllm.models.packed_model import packed_model
from kerasllm.tasks.masking import masked_cross_entropy
from kerasllm.training.optimizers import AdamW

BATCH, LENGTH, VOCABULARY, WARM_UP, STEPS = 12, 64, 65, 10, 100


def main() -> None:
    """Times the steps that `fit` makes of batches like those of `CausalRows`."""
    shape = DecoderShape(
        decoder="nano",
        architecture="gpt2",
        vocab_size=VOCABULARY,
        layers=4,
        heads=4,
        kv_heads=4,
        head_size=32,
        hidden=128,
        intermediate=512,
        context=LENGTH,
        tied=True,
    )
    model = packed_model(build_causal_lm(shape), LENGTH)
    variables = model.trainable_variables
    optimizer = AdamW(
        1e-3, variables, factors=[1.0] * len(variables), weight_decay=0.1, compiled=True, global_clipnorm=1.0
    )
    model.compile(optimizer, masked_cross_entropy, jit_compile=True)
    random = np.random.default_rng(0)
    ids = random.integers(0, VOCABULARY, (BATCH, LENGTH + 1)).astype(np.int32)
    places = np.broadcast_to(np.arange(LENGTH, dtype=np.int32), (BATCH, LENGTH))
    inputs = {"token_ids": ids[:, :-1], "segments": np.ones((BATCH, LENGTH), np.int32), "positions": places}
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            start = time.perf_counter()
        model.train_on_batch(inputs, ids[:, 1:])
    print(json.dumps({"tokens_per_second": STEPS * BATCH * LENGTH / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
