import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.dataset import Split
from kerasllm.data.sources import DataConfig
from kerasllm.models.classifier import ClassifierConfig
from kerasllm.serving import load
from kerasllm.tokenizing.tokenizer import TokenizerConfig
from kerasllm.training import teacher as module
from kerasllm.training.classifier_training import train
from kerasllm.training.settings import TrainingConfig
from kerasllm.training.teacher import open_teacher

from ...serving.handmade import write_bundle

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

TEXTS = Split(["good film", "a bad one, really bad", "neither"], np.zeros(3, np.int64))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A classifier of films, trained for an epoch."""
    folder = tmp_path_factory.mktemp("teacher")
    lines = "".join(f"{label}\t{label} film number {number}\n" for number in range(10) for label in ("bad", "good"))
    (folder / "films.txt").write_text(lines)
    return train(
        DataConfig(source=str(folder / "films.txt")),
        TokenizerConfig(max_length=6),
        ClassifierConfig(encoder="mlp", embedding_dim=8, units=5),
        BatchConfig(),
        TrainingConfig(epochs=1),
        folder / "run",
    )


def test_a_run_answers_as_it_does_elsewhere(run):
    teacher = open_teacher(run.path)
    assert teacher.labels == ("bad", "good")
    logits = teacher.logits(TEXTS)
    assert logits.dtype == np.float32
    powers = np.exp(logits)
    np.testing.assert_allclose(powers / powers.sum(axis=1, keepdims=True), run.probabilities(TEXTS.texts), rtol=1e-5)
    kernel, bias = run.load_model().get_layer("logits").get_weights()
    np.testing.assert_allclose(teacher.states(TEXTS) @ kernel + bias, logits, atol=1e-6)


def test_answers_are_computed_once(run, tmp_path, monkeypatch):
    teacher = open_teacher(run.path)
    first = teacher.logits(TEXTS, tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(module, "predict_logits", None)
        np.testing.assert_array_equal(teacher.logits(TEXTS, tmp_path), first)
        with pytest.raises(TypeError):
            teacher.logits(Split(["another"], np.zeros(1, np.int64)), tmp_path)
    for file in tmp_path.rglob("*.npy"):
        file.write_bytes(file.read_bytes()[:-9])  # half of it is lost
    np.testing.assert_array_equal(teacher.logits(TEXTS, tmp_path), first)


def test_word_vectors_keep_what_sets_words_apart(run):
    teacher = open_teacher(run.path)
    table = run.load_model().get_layer("embedding").get_weights()[0]
    vectors = teacher.word_vectors(8)
    assert vectors.std() == pytest.approx(0.25, rel=1e-5)
    apart = lambda rows: np.linalg.norm(rows[:, None] - rows[None], axis=-1)  # noqa: E731
    scale = apart(table).max() / apart(vectors).max()
    np.testing.assert_allclose(apart(vectors) * scale, apart(table), atol=1e-5)  # nothing but turned and scaled
    spread = vectors.var(axis=0)
    assert (np.diff(spread) <= 1e-7).all()
    few = teacher.word_vectors(3)
    np.testing.assert_allclose(np.abs(few / few.std()), np.abs(vectors[:, :3] / vectors[:, :3].std()), atol=1e-4)
    with pytest.raises(ValueError, match=r"`embedding_dim` must be at most 8.*Received: 9"):
        teacher.word_vectors(9)


def test_a_bundle_answers_with_its_scores_but_tells_no_more(tmp_path):
    folder = write_bundle(tmp_path / "bundle")
    teacher = open_teacher(folder)
    texts = Split(["very good film", "bad"], np.zeros(2, np.int64))
    logits = teacher.logits(texts)
    expected = load(folder).probabilities(texts.texts)
    np.testing.assert_allclose(np.exp(logits), expected, rtol=1e-5)
    for ask in (lambda: teacher.states(texts), lambda: teacher.word_vectors(2)):
        with pytest.raises(ValueError, match="read from its RUN"):
            ask()


def test_what_is_no_teacher(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        open_teacher(tmp_path / "nowhere")
    folder = write_bundle(tmp_path / "bundle", task="fill-mask")
    with pytest.raises(ValueError, match=r"must be a text classifier.*fill-mask"):
        open_teacher(folder)
