"""A RUN behind the classes that serve bundles: Keras computes, and everything around it is as it will be served."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..data.sources import DataConfig
from ..extras import require
from ..run import Run, from_settings
from ..tokenizing.tokenizer import pad_id
from .served_decoder import KerasDecoder


class _Node(NamedTuple):
    """An input or output, as an onnxruntime session describes one."""

    name: str
    type: str
    shape: list[int | None]


class KerasSession:
    """A Keras model with the methods of an onnxruntime session that serving calls.

    Attributes:
        model: A functional model with named inputs, integers [batch, sequence].
        names: Names of its outputs, in the order in which Keras flattens them.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.names = sorted(model.output) if isinstance(model.output, dict) else ["logits"]

    def get_inputs(self) -> list[_Node]:
        """The inputs."""
        return [_Node(tensor.name, "tensor(int64)", list(tensor.shape)) for tensor in self.model.inputs]

    def get_outputs(self) -> list[_Node]:
        """The outputs."""
        shapes = [list(tensor.shape) for tensor in self.model.outputs]
        return [_Node(name, "tensor(float)", shape) for name, shape in zip(self.names, shapes, strict=True)]

    def run(self, names: Sequence[str], feed: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        """Calls the model on arrays by the names of its inputs, and returns the outputs that are named."""
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are using a softmax over axis")  # of one token: its answer is right
            found = self.model({name: array.astype(np.int32) for name, array in feed.items()}, training=False)
        outputs = found if isinstance(found, dict) else {"logits": found}
        return [require("train", "keras").ops.convert_to_numpy(outputs[name]).astype(np.float32) for name in names]


def serve_run(run: Run, settings: Mapping[str, Any]) -> Any:
    """The model of a run as its bundle will be served.

    Args:
        run: The run.
        settings: Its task's settings, see `run_settings`.

    Returns:
        What `kerasllm.serving.load` gives for a bundle of the task.

    Raises:
        ImportError: onnxruntime is not installed; the message says how to get it.
    """
    if run.task == "text-generation":
        return KerasDecoder(run)
    from ..serving.graph import Graph
    from ..serving.loading import served_class
    from ..serving.manifest import Manifest, Preprocessing

    model, tokenizer = load_task_model(run), run.load_tokenizer()
    session = KerasSession(model)
    manifest = Manifest(
        task=run.task,
        labels=run.labels,
        multi_label=run.multi_label,
        activation="sigmoid" if run.multi_label else "softmax",
        preprocessing=Preprocessing(max_length=run.max_length, pad_token_id=pad_id(tokenizer)),
        inputs={tensor.name: tensor.name for tensor in model.inputs},
        outputs=tuple(session.names),
        settings=settings,
        default_variant="keras",
        variants={},
        files={},
        raw={},
    )
    return served_class(run.task)(Graph(session, manifest), tokenizer, manifest)


def run_settings(run: Run, examples: Any) -> dict[str, Any]:
    """The settings that a run's bundle has.

    Args:
        run: The run.
        examples: A split of its data.
    """
    head = run.config.get("head", {})
    if run.task == "text-generation":
        return _generation_settings(run)
    if run.task == "text-classification":
        return {"pair": examples.pairs is not None}
    if run.task == "question-answering":
        null = head["null"] if head["null"] is not None else _some_unanswerable(run)
        return {"stride": head["stride"], "max_answer": head["max_answer"], "null": null}
    return {}


def _generation_settings(run: Run) -> dict[str, Any]:
    """The tokens that end what the run writes; running text is opened by the last of them, as in training."""
    tokenizer, head = run.load_tokenizer(), run.config["head"]
    ends = [tokenizer.token_to_id(token) for token in head["ends"]]
    dialogues = head["chat_template"] is not None
    return {
        "eos_token_ids": ends,
        "bos_token_id": ends[-1],
        "add_bos": not dialogues,
        "chat_template": head["chat_template"],
    }


def _some_unanswerable(run: Run) -> bool:
    """Whether training questions have no answer, which then may be what the model says."""
    from ..data.questions import load_questions

    return not all(load_questions(from_settings(DataConfig, run.config["data"])).splits["train"].answers)


def load_task_model(run: Run) -> Any:
    """The run's model with the outputs of its task alone, without those that only pretraining reads."""
    if "encoder" in run.config:
        require("train", "keras_hub")  # its layers are known to Keras from here on
    model = run.load_model()
    if run.task == "fill-mask":
        from ..tasks.masking import logits_only

        model = logits_only(model)
    return model
