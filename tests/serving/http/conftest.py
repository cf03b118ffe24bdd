"""A bundle of every task, made by hand, and one server of them all."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from ..generation.tiny_decoder import Sizes, make_weights, write_decoder
from ..handmade import (
    PIECES,
    mean_graph,
    piece_tokenizer,
    write_bundle,
    write_embedder,
    write_filler,
    write_reader,
    write_tagger,
)
from .running import Running, running

TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Name to folder."""
    root, sizes = tmp_path_factory.mktemp("served"), Sizes(context=256)
    return {
        "moods": write_bundle(root / "moods"),
        "pairs": write_bundle(
            root / "pairs",
            {"fp32": mean_graph(np.linspace(-1, 1, 2 * len(PIECES), dtype=np.float32).reshape(-1, 2) ** 2)},
            tokenizer=piece_tokenizer(),
            settings={"pair": True},
            preprocessing={"max_length": 32, "pad_token_id": 0},
        ),
        "tagger": write_tagger(root / "tagger"),
        "reader": write_reader(root / "reader"),
        "vectors": write_embedder(root / "vectors"),
        "words": write_filler(root / "words"),
        "writer": write_decoder(
            root / "writer",
            make_weights(sizes),
            sizes,
            more_files={"chat_template.jinja": TEMPLATE.encode()},
            settings={"eos_token_ids": [256], "bos_token_id": None, "add_bos": False, "chat_template": True},
        ),
    }


@pytest.fixture(scope="session")
def server(bundles: dict[str, Path]) -> Iterator[Running]:
    """All of them served, without limits that a test would meet."""
    with running(bundles) as found:
        yield found
