"""What each task's graph gives, and what other programs call it: the one place that says so."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskForm:
    """The form of a task's model."""

    outputs: Mapping[str, tuple[str, ...]]
    """Name of each output to its axes, in the order of the bundle's graph."""
    architecture: str
    """What follows the family in the Hugging Face name of the class: Bert + ForTokenClassification."""
    activation: str
    """What makes probabilities of the outputs, where the model does not say: "softmax" or "none"."""

    def per_token(self, output: str) -> bool:
        """Whether an output has a value for every token, so that its values at padding mean nothing."""
        return "sequence" in self.outputs[output]


FORMS: dict[str, TaskForm] = {
    "text-classification": TaskForm(
        outputs={"logits": ("batch", "labels")},
        architecture="ForSequenceClassification",
        activation="softmax",
    ),
    "token-classification": TaskForm(
        outputs={"logits": ("batch", "sequence", "labels")},
        architecture="ForTokenClassification",
        activation="softmax",
    ),
    "question-answering": TaskForm(
        outputs={"start_logits": ("batch", "sequence"), "end_logits": ("batch", "sequence")},
        architecture="ForQuestionAnswering",
        activation="softmax",
    ),
    "feature-extraction": TaskForm(
        outputs={"last_hidden_state": ("batch", "sequence", "hidden"), "sentence_embedding": ("batch", "hidden")},
        architecture="Model",
        activation="none",
    ),
    "fill-mask": TaskForm(
        outputs={"logits": ("batch", "sequence", "vocabulary")},
        architecture="ForMaskedLM",
        activation="softmax",
    ),
}


def form_of(task: str) -> TaskForm:
    """The form of a task.

    Raises:
        ValueError: There is no such task.
    """
    if task not in FORMS:
        raise ValueError(f"The task must be one of {', '.join(FORMS)}. Received: {task!r}.")
    return FORMS[task]
