"""`kerasllm export` on a .keras file of a user's own, and on what cannot be exported."""

import json
from pathlib import Path

import keras
import pytest
import tokenizers
from keras import layers
from tokenizers import models, pre_tokenizers

from kerasllm.serving import load

# Keras 3.15 reads variables in a way that numpy 2.4 warns of.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
WORDS = ["[PAD]", "[UNK]", "good", "bad", "film", "very"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> Path:
    """A folder with model.keras, lambda.keras, tokenizer.json and labelled texts."""
    folder = tmp_path_factory.mktemp("saved")
    keras.utils.set_random_seed(0)
    stack = [keras.Input((None,), dtype="int32", name="words"), layers.Embedding(len(WORDS), 4, mask_zero=True)]
    pooling = layers.GlobalAveragePooling1D()
    keras.Sequential([*stack, pooling, layers.Dense(2)]).save(folder / "model.keras")
    twice = layers.Lambda(lambda x: 2 * x, output_shape=(4,))
    keras.Sequential([*stack, pooling, twice, layers.Dense(2)]).save(folder / "lambda.keras")
    tokenizer = tokenizers.Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "texts.csv").write_text("text,label\ngood film,pos\nbad film,neg\nvery bad,neg\nvery good,pos\n")
    return folder


@pytest.fixture
def words(saved, tmp_path) -> list[object]:
    """The words of an export that works."""
    options = ["--tokenizer", saved / "tokenizer.json", "--task", "text-classification", "--labels", "neg,pos"]
    return [saved / "model.keras", "--out", tmp_path / "bundle", *options]


def test_a_users_own_model(command, words, saved, tmp_path):
    result = command("export", *words, "--variants", "fp32", "--max-length", "12", "--validation", saved / "texts.csv")
    assert result.code == 0, result.err
    assert "fp32" in result.out
    assert "accuracy" in result.out
    manifest = json.loads((tmp_path / "bundle/kerasllm.json").read_text())
    assert manifest["preprocessing"]["max_length"] == 12
    assert manifest["inputs"] == {"input_ids": "words"}
    assert manifest["variants"]["fp32"]["metric"]["examples"] == 4
    assert load(tmp_path / "bundle")("good")[0]["label"] in ("neg", "pos")


def test_json_is_the_manifest(command, words, tmp_path):
    result = command("export", *words, "--variants", "fp32", "--json")
    assert json.loads(result.out) == json.loads((tmp_path / "bundle/kerasllm.json").read_text())


def test_both_variants_and_overwrite(command, words, tmp_path):
    assert command("export", *words).code == 0
    assert load(tmp_path / "bundle", variant="int8")("bad")
    again = command("export", *words)
    assert (again.code, "new or empty" in again.err) == (2, True)
    assert command("export", *words, "--overwrite", "--variants", "fp32").code == 0
    assert not (tmp_path / "bundle/onnx/model_quantized.onnx").exists()


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        ({0: "nowhere.keras"}, 2, "must be a RUN folder or a .keras file"),
        ({0: "lambda.keras"}, 1, "with a Lambda layer"),
        ({0: "tokenizer.json"}, 2, "damaged or of another kind"),
        ({8: "a,b,c"}, 2, "Received: 3 labels"),
        ({4: "nowhere.json"}, 2, "nowhere.json"),
        ({6: "text-generation"}, 1, "must be one of KerasHub's"),
        ({6: "translation"}, 2, "Received: 'translation'"),
    ],
)
def test_what_cannot_be_exported_ends_in_one_sentence(command, words, saved, tmp_path, change, code, says):
    for index, value in change.items():
        words[index] = saved / value if "." in value else value
    result = command("export", *words)
    assert (result.code, result.out) == (code, "")
    assert says in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert not (tmp_path / "bundle").exists()
