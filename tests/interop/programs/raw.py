"""Runtimes that know graphs, not tasks: tokens in, the graph's outputs out, and the loop of a decoder."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jobs
import numpy as np
from tokenizers import Tokenizer

Run = Callable[[dict[str, np.ndarray]], Mapping[str, np.ndarray]]


def run(opened: Callable[[Path], Run]) -> None:
    """Does all jobs.

    Args:
        opened: Takes a graph's file, and gives a function from its inputs to its outputs.
    """

    def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
        manifest = json.loads((bundle / "kerasllm.json").read_text())
        tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
        graph = opened(bundle / jobs.FILES[job["variant"]])
        if job["task"] == "text-generation":
            settings = json.loads((bundle / "config.json").read_text())
            start = [settings["bos_token_id"]] if manifest["settings"].get("add_bos") else []
            return [
                _generate(graph, settings, [*start, *tokenizer.encode(text, add_special_tokens=False).ids], job)
                for text in job["inputs"]
            ]
        return [_outputs(graph, manifest, tokenizer, given) for given in job["inputs"]]

    jobs.run(answer)


def _outputs(graph: Run, manifest: dict[str, Any], tokenizer: Tokenizer, given: Any) -> dict[str, Any]:
    encoding = tokenizer.encode(*(given.values() if isinstance(given, dict) else [given]))
    roles = {
        "input_ids": encoding.ids,
        "attention_mask": encoding.attention_mask,
        "token_type_ids": encoding.type_ids,
    }
    feeds = {name: np.array([roles[role]], np.int64) for role, name in manifest["inputs"].items()}
    return {name: np.asarray(value)[0].tolist() for name, value in graph(feeds).items()}


def _generate(graph: Run, settings: dict[str, Any], prompt: list[int], job: dict[str, Any]) -> list[int]:
    """The likeliest token, again and again, each with the cache of those before."""
    heads = settings.get("num_key_value_heads") or settings["num_attention_heads"]
    size = settings.get("head_dim") or settings["hidden_size"] // settings["num_attention_heads"]
    ends = np.atleast_1d(settings["eos_token_id"]).tolist()
    empty = np.zeros((1, heads, 0, size), np.float32)
    past = {
        f"past_key_values.{layer}.{part}": empty
        for layer in range(settings["num_hidden_layers"])
        for part in ("key", "value")
    }
    ids, new = list(prompt), list(prompt)
    while len(ids) < len(prompt) + job["new_tokens"]:
        positions = np.arange(len(ids) - len(new), len(ids))[None]
        feeds = {"input_ids": np.array([new]), "attention_mask": np.ones((1, len(ids)), np.int64)}
        outputs = graph({**feeds, "position_ids": positions, **past})
        past = {name: np.asarray(outputs[name.replace("past_key_values", "present")]) for name in past}
        new = [int(np.asarray(outputs["logits"])[0, -1].argmax())]
        ids += new
        if new[0] in ends:
            break
    return ids[len(prompt) :]
