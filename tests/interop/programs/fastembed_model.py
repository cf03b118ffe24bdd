"""fastembed takes the bundle as a model of its user's own."""

import json
from pathlib import Path
from typing import Any

import jobs
from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType


def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
    name = f"{bundle.name}-{job['variant']}"
    TextEmbedding.add_custom_model(
        model=name,
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf=name),
        dim=json.loads((bundle / "config.json").read_text())["hidden_size"],
        model_file=jobs.FILES[job["variant"]],
    )
    model = TextEmbedding(name, specific_model_path=str(bundle))
    return [vector.tolist() for vector in model.embed(job["inputs"])]


jobs.run(answer)
