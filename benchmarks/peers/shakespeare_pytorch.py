"""Training steps of a GPT in plain PyTorch at nanoGPT's setting for a CPU (no compilation): tokens/s as JSON."""

import json
import time

import torch
from torch import nn
from torch.nn import functional

BATCH, LENGTH, VOCABULARY, LAYERS, HEADS, WIDTH, WARM_UP, STEPS = 12, 64, 65, 4, 4, 128, 10, 100


class Block(nn.Module):
    """Attention and a feed-forward part, each after a norm and beside a residual; no biases."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH, bias=False) for _ in range(2))
        self.projections = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.output = nn.Linear(WIDTH, WIDTH, bias=False)
        self.wide, self.narrow = nn.Linear(WIDTH, 4 * WIDTH, bias=False), nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        batch, length, _ = states.shape
        parts = self.projections(self.norms[0](states)).split(WIDTH, dim=2)
        query, key, value = (part.view(batch, length, HEADS, -1).transpose(1, 2) for part in parts)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        states = states + self.output(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return states + self.narrow(functional.gelu(self.wide(self.norms[1](states))))


class Model(nn.Module):
    """The whole decoder; the output matrix is the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        states = self.tokens(ids) + self.places(torch.arange(ids.shape[1]))
        return self.norm(self.blocks(states)) @ self.tokens.weight.T


def main() -> None:
    """Times the steps."""
    torch.manual_seed(0)
    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.1, betas=(0.9, 0.99))
    ids = torch.randint(VOCABULARY, (BATCH, LENGTH + 1))
    start = 0.0
    for step in range(WARM_UP + STEPS):
        if step == WARM_UP:
            start = time.perf_counter()
        logits = model(ids[:, :-1])
        loss = functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        loss.item()
    print(json.dumps({"tokens_per_second": STEPS * BATCH * LENGTH / (time.perf_counter() - start)}))


if __name__ == "__main__":
    main()
