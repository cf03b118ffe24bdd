"""The tensors that a model takes and gives: those of its graph, and those of its texts."""

from dataclasses import dataclass
from typing import Any

from ..models import ServedModel

_DATATYPES = {"tensor(int64)": "INT64", "tensor(int32)": "INT32", "tensor(float)": "FP32", "tensor(bool)": "BOOL"}
_DATATYPES["tensor(float16)"] = "FP16"
_LABELS = [("labels", "BYTES", [-1, -1]), ("scores", "FP32", [-1, -1])]
_ANSWERS = [("answer", "BYTES", [-1]), ("score", "FP32", [-1]), ("start", "INT64", [-1]), ("end", "INT64", [-1])]
# What the texts of each task become.
_OUTPUTS: dict[str, list[tuple[str, str, list[int]]]] = {
    "text-classification": _LABELS,
    "token-classification": [("entities", "BYTES", [-1])],
    "question-answering": _ANSWERS,
    "feature-extraction": [("embedding", "FP32", [-1, -1])],
    "fill-mask": [("fills", "BYTES", [-1])],
    "text-generation": [("text_output", "BYTES", [-1])],
}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What a tensor must be."""

    name: str
    datatype: str
    shape: list[int]
    """Its sizes; -1: any."""


@dataclass(frozen=True, kw_only=True)
class Signature:
    """A model is asked with the inputs of its graph, or with texts; never with some of both."""

    graph_inputs: list[Declared]
    graph_outputs: list[Declared]
    text_inputs: list[Declared]
    text_outputs: list[Declared]

    @property
    def inputs(self) -> list[Declared]:
        """All of them."""
        return self.graph_inputs + self.text_inputs

    @property
    def outputs(self) -> list[Declared]:
        """All of them."""
        return self.graph_outputs + self.text_outputs


def signature(model: ServedModel) -> Signature:
    """The tensors of a model."""
    graph = model.served.graph
    roles = dict(model.manifest.inputs)
    if model.engine:
        roles.pop("position_ids", None)  # counted here
    taken = [node for node in graph.session.get_inputs() if node.name in roles.values()]
    given = {graph.output} if model.engine else set(graph.outputs)
    return Signature(
        graph_inputs=[_declared(node, _DATATYPES[node.type]) for node in taken],
        # Whatever the graph computes in, its values are float32 when they come here.
        graph_outputs=[_declared(node, "FP32") for node in graph.session.get_outputs() if node.name in given],
        text_inputs=[Declared(name=name, datatype="BYTES", shape=[-1]) for name in _text_names(model)],
        text_outputs=[Declared(name=n, datatype=kind, shape=shape) for n, kind, shape in _OUTPUTS[model.task]],
    )


def _text_names(model: ServedModel) -> list[str]:
    if model.task == "question-answering":
        return ["question", "context"]
    return ["text", "text_pair"] if model.task == "text-classification" and model.served.pair else ["text"]


def _declared(node: Any, datatype: str) -> Declared:
    shape = [size if isinstance(size, int) and place else -1 for place, size in enumerate(node.shape)]
    return Declared(name=node.name, datatype=datatype, shape=shape)
