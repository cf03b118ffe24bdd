"""onnxruntime-genai reads genai_config.json; another file than fp32's is named there, as its users do."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import jobs
import numpy as np
import onnxruntime_genai as genai
from tokenizers import Tokenizer


def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    config = json.loads((bundle / "genai_config.json").read_text())
    settings = json.loads((bundle / "kerasllm.json").read_text())["settings"]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(bundle, folder, dirs_exist_ok=True)
        config["model"]["decoder"]["filename"] = jobs.FILES[job["variant"]]
        (Path(folder) / "genai_config.json").write_text(json.dumps(config))
        model = genai.Model(folder)
        start = [settings["bos_token_id"]] if settings.get("add_bos") else []
        return [
            generate(model, [*start, *tokenizer.encode(text, add_special_tokens=False).ids], job["new_tokens"])
            for text in job["inputs"]
        ]


def generate(model: genai.Model, prompt: list[int], count: int) -> list[int]:
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(prompt) + count, do_sample=False)
    generator = genai.Generator(model, parameters)
    generator.append_tokens(np.array(prompt, np.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [int(token) for token in generator.get_sequence(0)][len(prompt) :]


jobs.run(answer)
