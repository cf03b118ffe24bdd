"""Ours: the checkpoint exported to a bundle, whose graph is run as serving runs it: batches in small pieces."""

from pathlib import Path

import numpy as np
from encoding import Bind, Run, serve

OUTPUT = "last_hidden_state"


def prepare(checkpoint: Path, out: Path) -> None:
    from kerasllm.export.sources import export_source

    export_source(checkpoint, out / "bundle", task="feature-extraction", pooling="mean")


def load(checkpoint: Path, prepared: Path, threads: int):
    from kerasllm.serving import load as load_bundle

    def opened(variant: str) -> Bind:
        return bind(load_bundle(prepared / "bundle", variant=variant, threads=threads, providers="cpu").graph)

    return {"fp32": lambda: opened("fp32"), "int8": lambda: opened("int8")}


def bind(graph) -> Bind:
    from kerasllm.serving.graph import Row

    def of(ids: list[np.ndarray]) -> Run:
        rows = [Row(each) for each in ids]
        return lambda: [each[OUTPUT] for each in graph.run_all(rows, [OUTPUT])]

    return of


if __name__ == "__main__":
    serve(prepare, load)
