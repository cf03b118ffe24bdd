import keras
import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.dataset import Split, TextDataset
from kerasllm.models.classifier import ClassifierConfig, build_classifier
from kerasllm.tasks.distillation import DistillationConfig, DistillationTask, distillation_loss
from kerasllm.tokenizing.tokenizer import TokenizerConfig, train_tokenizer

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEACHER = np.array([[2.0, -1.0, 0.5], [0.0, 0.3, -4.0]], np.float32)
STUDENT = np.array([[1.0, 1.5, -0.5], [2.0, 0.1, 0.0]], np.float32)
HARD = np.eye(3, dtype=np.float32)[[0, 1]]


def softmax(logits):
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def test_the_loss_is_the_papers():
    temperature, soft = 3.0, 0.7
    expected = []
    for hard, teacher, student in zip(HARD, TEACHER, STUDENT, strict=True):
        p, q = softmax(teacher[None] / temperature)[0], softmax(student[None] / temperature)[0]
        cross_entropy = -(hard * np.log(softmax(student[None])[0])).sum()
        expected.append(0.3 * cross_entropy + 0.7 * 9.0 * (p * np.log(p / q)).sum())
    config = DistillationConfig(temperature=temperature, soft=soft)
    received = distillation_loss(*map(keras.ops.convert_to_tensor, (HARD, TEACHER, STUDENT)), config, False)
    np.testing.assert_allclose(received, expected, rtol=1e-5)


def test_the_loss_of_many_labels_is_of_each_class_by_itself():
    sigmoid = lambda logits: 1 / (1 + np.exp(-logits))  # noqa: E731
    p, q, once = sigmoid(TEACHER / 2), sigmoid(STUDENT / 2), sigmoid(STUDENT)
    divergence = (p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))).mean(axis=1)
    cross_entropy = -(HARD * np.log(once) + (1 - HARD) * np.log(1 - once)).mean(axis=1)
    config = DistillationConfig(temperature=2.0, soft=0.25)
    received = distillation_loss(*map(keras.ops.convert_to_tensor, (HARD, TEACHER, STUDENT)), config, True)
    np.testing.assert_allclose(received, 0.75 * cross_entropy + 0.25 * 4 * divergence, rtol=1e-5)


def test_a_student_that_is_its_teacher_has_nothing_to_learn():
    config = DistillationConfig(soft=1.0, temperature=5.0)
    tensors = map(keras.ops.convert_to_tensor, (HARD, TEACHER, TEACHER + 7))
    np.testing.assert_allclose(distillation_loss(*tensors, config, False), 0, atol=1e-5)


TEXTS = ["a b", "b a c", "c", "a a"]


def make_task(units=3, states=None, **settings):
    splits = {"train": Split(TEXTS, np.array([0, 1, 1, 0])), "validation": Split(["a"], np.array([0]))}
    dataset = TextDataset(name="letters", labels=("no", "yes"), multi_label=False, splits=splits)
    tokenizer = train_tokenizer(TEXTS, TokenizerConfig())
    config = ClassifierConfig(encoder="mlp", embedding_dim=4, units=units)
    logits = np.arange(8, dtype=np.float32).reshape(4, 2)
    return DistillationTask(
        dataset,
        tokenizer,
        lambda: build_classifier(config, vocab_size=5, classes=2),
        BatchConfig(batch_size=2),
        max_length=8,
        logits=logits,
        states=states,
        distillation=DistillationConfig(**settings),
    )


def test_every_text_meets_its_own_answers():
    states = np.arange(12, dtype=np.float32).reshape(4, 3)
    task = make_task(states=states, hidden=1.0)
    seen = {}
    for inputs, truth in task.batches(0).take(task.steps()):
        for ids, mask, row in zip(inputs["input_ids"], inputs["attention_mask"], truth, strict=True):
            seen[tuple(np.array(ids)[np.array(mask) > 0])] = np.array(row)
    for text, label, row in zip(TEXTS, (0, 1, 1, 0), range(4), strict=True):
        truth = seen[tuple(task.tokenizer.encode(text).ids)]
        np.testing.assert_array_equal(truth[:2], np.eye(2)[label])
        np.testing.assert_array_equal(truth[2:4], [2 * row, 2 * row + 1])
        np.testing.assert_array_equal(truth[4:], states[row])


def test_states_are_drawn_together_by_the_weights_that_are_saved():
    states = np.ones((4, 3), np.float32)
    task = make_task(states=states, hidden=0.5, soft=0.0)
    model = task.build()
    training = task.training_model(model)
    assert all(variable is other for variable, other in zip(training.weights, model.weights, strict=True))
    inputs, truth = next(iter(task.batches(0)))
    outputs = training(inputs)
    np.testing.assert_allclose(outputs[:, :2], model(inputs), atol=1e-6)
    state = np.array(outputs[:, 2:])
    cosine = state.sum(axis=1) / np.maximum(np.linalg.norm(state, axis=1) * np.sqrt(3), 1e-9)
    plain = make_task(soft=0.0).loss()(truth[:, :4], outputs[:, :2])
    np.testing.assert_allclose(task.loss()(truth, outputs), plain + 0.5 * (1 - cosine), atol=1e-5)


def test_states_of_two_widths():
    task = make_task(units=4, states=np.ones((4, 3), np.float32), hidden=0.5)
    with pytest.raises(ValueError, match=r"as wide as its teacher before the head, 3\. Received: 4"):
        task.training_model(task.build())


@pytest.mark.parametrize(
    "settings", [{"temperature": 0}, {"soft": 1.1}, {"hidden": -1}, {"teacher_vectors": True, "tokenizer": "own"}]
)
def test_impossible_settings(settings):
    with pytest.raises(ValueError, match=f"`{next(iter(settings))}`"):
        DistillationConfig(**settings)
