import subprocess
import sys
import textwrap
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kerasllm.data import BatchConfig, TokenSplit, balanced_weights, batches, in_dataset_order, steps
from kerasllm.data.batches import evaluation_order, example_weights, pad, training_order


def tokens(lengths, pad_id=0, labels=None):
    """A split whose example i holds the tokens 100 i + 1, 100 i + 2, ..."""
    ids = [100 * row + position for row, length in enumerate(lengths) for position in range(1, length + 1)]
    offsets = np.cumsum([0, *lengths], dtype=np.int64)
    labels = np.arange(len(lengths)) % 3 if labels is None else labels
    return TokenSplit(np.array(ids, np.int32), offsets, labels, pad_id)


LENGTHS = np.random.default_rng(0).integers(1, 60, size=997).tolist()


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.integers(1, 9), min_size=1, max_size=20), st.integers(1, 5), st.randoms(use_true_random=False))
def test_padding_against_a_plain_loop(lengths, multiple, random):
    split = tokens(lengths, pad_id=7)
    rows = np.array(random.sample(range(len(lengths)), random.randint(1, len(lengths))))
    ids, mask = pad(split, rows, multiple).values()
    assert ids.dtype == mask.dtype == np.int32
    assert ids.shape == mask.shape
    assert ids.shape[1] % multiple == 0
    assert 0 <= ids.shape[1] - max(lengths[row] for row in rows) < multiple
    for row, line, flags in zip(rows, ids, mask, strict=True):
        length = lengths[row]
        assert line.tolist() == [100 * row + n for n in range(1, length + 1)] + [7] * (ids.shape[1] - length)
        assert flags.tolist() == [1] * length + [0] * (ids.shape[1] - length)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 5), st.booleans(), st.integers(0, 9))
def test_an_epoch_is_every_example_once_in_batches_of_one_size(examples, size, pool, bucket, epoch):
    split = tokens(LENGTHS[:examples])
    config = BatchConfig(batch_size=size, pool=pool, bucket=bucket)
    plan = training_order(split, config, 3, epoch)
    assert len(plan) == steps(split, config)
    assert sorted(np.concatenate(plan)) == list(range(examples))
    sizes = {len(rows) for rows in plan}
    assert max(sizes) <= size
    assert max(sizes) - min(sizes) <= 1


def test_the_order_is_a_function_of_seed_and_epoch():
    split, config = tokens(LENGTHS), BatchConfig(batch_size=16)
    orders = {
        (seed, epoch): np.concatenate(training_order(split, config, seed, epoch)).tolist()
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len({tuple(order) for order in orders.values()}) == 4
    assert orders[1, 1] == np.concatenate(training_order(split, config, 1, 1)).tolist()


def test_buckets_save_padding_and_mix_companions():
    split = tokens(LENGTHS)

    def padding(plan):
        return sum(len(rows) * split.lengths[rows].max() for rows in plan) / split.offsets[-1] - 1

    bucketed, plain = BatchConfig(batch_size=16), BatchConfig(batch_size=16, bucket=False)
    assert padding(training_order(split, bucketed, 0, 0)) < 0.1 < 0.5 < padding(training_order(split, plain, 0, 0))
    # Lengths come in no order, and a text meets others in another epoch.
    first, second = (training_order(split, bucketed, 0, epoch) for epoch in (0, 1))
    assert abs(np.corrcoef([split.lengths[rows].mean() for rows in first], range(len(first)))[0, 1]) < 0.4
    companions = [{int(row) for rows in plan if 5 in rows for row in rows} for plan in (first, second)]
    assert companions[0] != companions[1]


def collect(dataset, count):
    return [tuple(np.asarray(part) for part in (*inputs.values(), *rest)) for inputs, *rest in islice(dataset, count)]


def test_training_goes_on_from_any_epoch_as_if_never_stopped():
    split, config = tokens(LENGTHS), BatchConfig(batch_size=64)
    count = steps(split, config)
    whole = collect(batches(split, config, training=True, seed=4), 3 * count)
    resumed = collect(batches(split, config, training=True, seed=4, epoch=2), count)
    for left, right in zip(whole[2 * count :], resumed, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))
    for epoch in range(3):
        firsts = np.concatenate([ids[:, 0] for ids, *_ in whole[epoch * count : (epoch + 1) * count]])
        assert sorted(firsts) == [100 * row + 1 for row in range(len(split))]


def test_a_dataset_holds_no_state():
    dataset = batches(tokens(LENGTHS), BatchConfig(batch_size=64), training=True)
    assert np.array_equal(collect(dataset, 1)[0][0], collect(dataset, 1)[0][0])


@pytest.mark.parametrize("bucket", [True, False])
def test_evaluation_comes_back_in_the_order_of_the_data(bucket):
    split, config = tokens(LENGTHS), BatchConfig(batch_size=50, bucket=bucket)
    dataset = batches(split, config, training=False)
    assert int(dataset.cardinality()) == steps(split, config)
    found = collect(dataset, None)
    outputs = np.concatenate([ids[:, :1] for ids, *_ in found])
    assert in_dataset_order(outputs, split, config)[:, 0].tolist() == [100 * row + 1 for row in range(len(split))]
    labels = np.concatenate([labels for _, _, labels in found])
    assert in_dataset_order(labels, split, config).tolist() == split.labels.tolist()
    assert sorted(evaluation_order(split, config)) == list(range(len(split)))


def test_elements_have_types_and_shapes():
    labels = np.eye(3, dtype=np.float32)
    inputs, targets = batches(tokens([1, 2, 3], labels=labels), BatchConfig(), training=True).element_spec
    assert {name: (spec.dtype.name, spec.shape.as_list()) for name, spec in inputs.items()} == {
        "input_ids": ("int32", [None, None]),
        "attention_mask": ("int32", [None, None]),
    }
    assert (targets.dtype.name, targets.shape.as_list()) == ("float32", [None, 3])


def test_class_weights_become_example_weights():
    split = tokens(LENGTHS)
    for _, _, labels, weights in collect(batches(split, BatchConfig(), training=True, class_weights=[1, 2, 5]), 3):
        assert weights.dtype == np.float32
        assert weights.tolist() == [[1, 2, 5][label] for label in labels]
    with pytest.raises(ValueError, match="multi-label"):
        example_weights(np.zeros((2, 3), np.float32), [1, 2, 3])
    with pytest.raises(ValueError, match="multi-label"):
        balanced_weights(np.zeros((2, 3), np.float32), 3)


def test_balanced_weights_give_every_class_the_same_say():
    labels = np.array([0] * 6 + [1] * 3)
    weights = balanced_weights(labels, 2)
    assert weights.tolist() == [0.75, 1.5]
    assert example_weights(labels, weights).sum() == len(labels)
    assert np.isfinite(balanced_weights(labels, 3)).all()


@pytest.mark.parametrize("wrong", ["batch_size", "pool", "multiple"])
def test_sizes_are_positive(wrong):
    with pytest.raises(ValueError, match=f"`{wrong}`.*Received: 0"):
        BatchConfig(**{wrong: 0})


def test_several_devices_share_each_batch():
    # In a process of its own, since devices can't be divided once TensorFlow runs.
    program = """
        import numpy as np, tensorflow as tf
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
        from kerasllm.data import BatchConfig, TokenSplit, batches, steps
        lengths = np.arange(1, 102)
        split = TokenSplit(np.repeat(np.arange(101), lengths), np.append(0, np.cumsum(lengths)), np.arange(101) % 2)
        config = BatchConfig(batch_size=10)
        strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
        iterator = iter(strategy.experimental_distribute_dataset(batches(split, config, training=True)))
        seen = []
        for _ in range(steps(split, config)):
            parts = strategy.experimental_local_results(next(iterator)[0]["input_ids"])
            assert len(parts) == 2 and abs(len(parts[0]) - len(parts[1])) <= 1, [part.shape for part in parts]
            seen += [int(row) for part in parts for row in part[:, 0]]
        assert sorted(seen) == list(range(101))
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(program)], check=True, timeout=100)


def test_segments_and_labels_of_tokens_are_padded_beside_their_tokens():
    split = TokenSplit(
        np.array([5, 6, 7, 8], np.int32),
        np.array([0, 1, 4]),
        np.array([1, 2, -1, 3], np.int32),
        types=np.array([0, 0, 1, 1], np.uint8),
        per_token=True,
    )
    ((inputs, labels),) = batches(split, BatchConfig(batch_size=2), training=False)
    assert len(split) == 2
    assert inputs["input_ids"].numpy().tolist() == [[5, 0, 0], [6, 7, 8]]
    assert inputs["token_type_ids"].numpy().tolist() == [[0, 0, 0], [0, 1, 1]]
    assert labels.numpy().tolist() == [[1, -1, -1], [2, -1, 3]]
