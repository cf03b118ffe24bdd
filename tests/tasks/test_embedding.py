"""Sentence vectors and what they are trained with."""

from itertools import islice

import numpy as np
import pytest

from kerasllm.data.batches import BatchConfig
from kerasllm.data.pairs import PairDataset, PairSplit
from kerasllm.tasks.embedding import EmbeddingHead, EmbeddingTask, embedding_model
from kerasllm.tasks.pair_losses import negatives_ranking, similarity_order

from .small import ANIMALS, PLACES, small_encoder

# Keras 3.15 reads its variables with np.array, which numpy 2.4 has new wishes for.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def pairs(*, scored):
    """The same animal and place in two sentences of different lengths; of scored ones half are of other animals."""
    names = [(animal, place) for animal in ANIMALS for place in PLACES]
    firsts = [f"the {animal} sleeps in the {place} ." for animal, place in names]
    seconds = [f"in the {place} the {animal}" for animal, place in names]
    if not scored:
        return PairSplit(firsts, seconds)
    scores = np.arange(len(names), dtype=np.float32) % 2
    return PairSplit(firsts, [seconds[i if scores[i] else -1 - i] for i in range(len(names))], scores)


def make(*, scored=False, **options):
    split = pairs(scored=scored)
    dataset = PairDataset({"train": split, "validation": split})
    options = {"batches": BatchConfig(batch_size=7), "max_length": 12, **options}
    return EmbeddingTask(dataset, small_encoder(), EmbeddingHead(), **options)


def vectors(count, seed=0):
    found = np.random.default_rng(seed).normal(size=(2 * count, 5)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_vectors_are_pooled_unit_and_blind_to_padding(pooling):
    model = embedding_model(small_encoder(), pooling)
    ids = np.array([[2, 7, 8, 9, 3], [2, 9, 3, 0, 0]], np.int32)
    mask = (ids > 0).astype(np.int32)
    outputs = model({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
    states, found = np.asarray(outputs["last_hidden_state"]), np.asarray(outputs["sentence_embedding"])
    expected = states[1, 0] if pooling == "cls" else states[1, :3].mean(axis=0)
    np.testing.assert_allclose(found[1], expected / np.linalg.norm(expected), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    alone = model({"input_ids": ids[1:, :3], "attention_mask": mask[1:, :3], "token_type_ids": ids[1:, :3] * 0})
    np.testing.assert_allclose(alone["sentence_embedding"][0], found[1], atol=1e-5)


def test_negatives_ranking_is_the_cross_entropy_of_the_right_pair():
    found, numbers = vectors(4), np.arange(8, dtype=np.float32)
    cosines = found[::2] @ found[1::2].T / 0.1
    expected = np.mean([np.log(np.exp(cosines[i]).sum()) - cosines[i, i] for i in range(4)])
    assert float(negatives_ranking(numbers, found, 0.1)) == pytest.approx(expected, rel=1e-5)
    numbers[7] = numbers[3]  # pairs 1 and 3 have the same second text: neither counts against the other
    kept = [[0, 1, 2, 3], [0, 1, 2], [0, 1, 2, 3], [0, 2, 3]]
    expected = np.mean([np.log(np.exp(cosines[i, row]).sum()) - cosines[i, i] for i, row in enumerate(kept)])
    assert float(negatives_ranking(numbers, found, 0.1)) == pytest.approx(expected, rel=1e-5)


def test_similarity_order_compares_pairs_of_different_scores():
    found, scores = vectors(4), np.array([3, 1, 1, 5], np.float32)
    cosines = (found[::2] * found[1::2]).sum(axis=1)
    terms = [np.exp((cosines[j] - cosines[i]) / 0.1) for i in range(4) for j in range(4) if scores[i] > scores[j]]
    loss = float(similarity_order(np.repeat(scores, 2), found, 0.1))
    assert loss == pytest.approx(np.log(1 + sum(terms)), rel=1e-5)
    assert float(similarity_order(np.ones(8, np.float32), found, 0.1)) == pytest.approx(0, abs=1e-6)


def test_batches_hold_both_texts_of_a_pair_side_by_side():
    task = make()
    assert (task.steps(), task.score) == (4, "accuracy")
    seen = []
    for inputs, numbers in islice(task.batches(2), task.steps()):
        ids = inputs["input_ids"].numpy()
        assert set(inputs) == {"input_ids", "attention_mask", "token_type_ids"}
        texts = [task.tokenizer.decode(row.tolist()) for row in ids]
        for first, second in zip(texts[::2], texts[1::2], strict=True):
            assert set(second.split()) < set(first.strip(".").split())
        assert len(set(numbers.numpy().tolist())) == len(texts)
        seen += texts[::2]
    assert len(set(seen)) == len(seen) == 24
    again = next(iter(task.batches(2)))[0]["input_ids"].numpy()
    assert (again == next(iter(make().batches(2)))[0]["input_ids"].numpy()).all()


@pytest.mark.parametrize(("scored", "score"), [(False, "accuracy"), (True, "spearman")])
def test_it_learns_the_pairs(scored, score):
    import keras

    keras.utils.set_random_seed(0)
    task = make(scored=scored, batches=BatchConfig(batch_size=24))
    assert task.score == score
    model = task.build()
    trained = task.training_model(model)
    assert [weight.path for weight in trained.weights] == [weight.path for weight in model.weights]
    before = task.report(model, "validation")
    trained.compile(keras.optimizers.Adam(1e-2), task.loss(), jit_compile=False)
    trained.fit(task.batches(0), steps_per_epoch=40, shuffle=False, verbose=0)
    after = task.report(model, "validation")
    assert after["loss"] < before["loss"]
    assert after[score] >= max(0.6, before[score])  # the fresh encoder orders the scored ones as well as can be
    assert after["pairs"] == 24


def test_refused():
    with pytest.raises(ValueError, match="`temperature`"):
        EmbeddingHead(temperature=0)
    with pytest.raises(ValueError, match="`max_length`"):
        make(max_length=64)
