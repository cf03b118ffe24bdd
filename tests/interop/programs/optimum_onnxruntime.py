"""Optimum's classes in transformers' pipelines, with transformers' AutoTokenizer."""

from pathlib import Path
from typing import Any

import jobs
import torch
from optimum import onnxruntime as optimum
from transformers import AutoTokenizer, pipeline

CLASSES = {
    "text-classification": optimum.ORTModelForSequenceClassification,
    "token-classification": optimum.ORTModelForTokenClassification,
    "question-answering": optimum.ORTModelForQuestionAnswering,
    "feature-extraction": optimum.ORTModelForFeatureExtraction,
    "fill-mask": optimum.ORTModelForMaskedLM,
    "text-generation": optimum.ORTModelForCausalLM,
}


def answer(bundle: Path, job: dict[str, Any]) -> list[Any]:
    task = job["task"]
    folder, name = jobs.FILES[job["variant"]].split("/")
    model = CLASSES[task].from_pretrained(bundle, subfolder=folder, file_name=name)
    tokenizer = AutoTokenizer.from_pretrained(bundle)
    if task == "text-generation":
        return [generate(model, tokenizer, text, job["new_tokens"]) for text in job["inputs"]]
    if task == "feature-extraction":
        return [embed(model, tokenizer, text) for text in job["inputs"]]
    pipe = pipeline(task, model=model, tokenizer=tokenizer)
    return [ANSWERS[task](pipe, given) for given in job["inputs"]]


def generate(model: Any, tokenizer: Any, text: str, count: int) -> list[int]:
    encoded = tokenizer(text, return_tensors="pt")
    ids = model.generate(
        encoded["input_ids"], attention_mask=encoded["attention_mask"], max_new_tokens=count, do_sample=False
    )
    return ids[0, encoded["input_ids"].shape[1] :].tolist()


def embed(model: Any, tokenizer: Any, text: str) -> list[float]:
    states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state
    return torch.nn.functional.normalize(states.mean(dim=1)).tolist()[0]


ANSWERS = {
    "text-classification": lambda pipe, text: {each["label"]: each["score"] for each in pipe(text, top_k=None)},
    "token-classification": lambda pipe, text: [
        [each["index"], each["entity"], float(each["score"])] for each in pipe(text)
    ],
    "question-answering": lambda pipe, asked: pipe(**asked)["answer"],
    "fill-mask": lambda pipe, text: [[each["token_str"], each["score"]] for each in pipe(text, top_k=3)],
}

jobs.run(answer)
