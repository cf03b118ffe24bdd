"""examples/genai; genai_config.json names another file than the bundle's default as its page says."""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import jobs
import onnxruntime_genai as genai
from tokenizers import Tokenizer

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "genai"))
from write import likeliest


def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
    config = json.loads((bundle / "genai_config.json").read_text())
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        config["model"]["decoder"]["filename"] = jobs.FILES[job["variant"]]
        (Path(folder) / "genai_config.json").write_text(json.dumps(config))
        model = genai.Model(folder)
        # genai's own tokenizer reads what models are published with, but not a vocabulary of whole words or letters.
        tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
        return [list(likeliest(model, tokenizer.encode(text).ids, job["new_tokens"])) for text in job["inputs"]]


genai.disable_telemetry_events()
jobs.run(answer)
