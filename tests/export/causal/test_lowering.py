import numpy as np
import onnxruntime
import pytest

from kerasllm.export.causal.lowering import lower_causal
from kerasllm.export.causal.reading import read_parts
from tests.export.causal.decoders import CONTEXT, FAMILIES, VOCABULARY, keras_logits, small
from tests.export.parity import session_of


# Heads of 16, and for one family of 8, which GroupQueryAttention cannot rotate.
@pytest.fixture(scope="module", params=[*((name, 64) for name in FAMILIES), ("llama", 32)])
def decoder(request):
    model = small(*request.param)
    return model, session_of(lower_causal(read_parts(model, CONTEXT)))


def caches(session: onnxruntime.InferenceSession, rows: int, length: int) -> dict[str, np.ndarray]:
    shapes = {node.name: node.shape for node in session.get_inputs() if node.name.startswith("past")}
    return {name: np.zeros((rows, shape[1], length, shape[3]), np.float32) for name, shape in shapes.items()}


def run(session, ids, mask, positions, past, **more):
    feed = {"input_ids": ids, "attention_mask": mask, "position_ids": positions, **past, **more}
    logits, *present = session.run(None, feed)
    return logits, dict(zip(past, present, strict=True))


def ragged(lengths: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mask = (np.arange(max(lengths)) < np.array(lengths)[:, None]).astype(np.int64)
    return rng.integers(1, VOCABULARY, mask.shape) * mask, mask


def test_a_ragged_prompt_gives_the_logits_of_keras(decoder):
    model, session = decoder
    ids, mask = ragged((5, 1, 9))
    positions = np.tile(np.arange(9), (3, 1))
    logits, _ = run(session, ids, mask, positions, caches(session, 3, 0))
    for row, length in enumerate((5, 1, 9)):
        np.testing.assert_allclose(logits[row, :length], keras_logits(model, ids[row, :length]), atol=1e-4)


def test_steps_after_a_past_give_the_logits_of_keras(decoder):
    model, session = decoder
    text = ragged((12,))[0][0]
    logits, past = run(session, text[None, :7], np.ones((1, 7), np.int64), np.arange(7)[None], caches(session, 1, 0))
    parts = [logits[0]]
    for start, end in ((7, 8), (8, 11), (11, 12)):
        ones, positions = np.ones((1, end), np.int64), np.arange(start, end)[None]
        logits, past = run(session, text[None, start:end], ones, positions, past)
        parts.append(logits[0])
    np.testing.assert_allclose(np.concatenate(parts), keras_logits(model, text), atol=1e-4)


def test_past_and_present_may_be_one_buffer_of_rows_of_different_lengths(decoder):
    model, session = decoder
    texts, mask = ragged((6, 3), seed=1)
    grown = [text[:length].tolist() for text, length in zip(texts, (6, 3), strict=True)]
    buffers = {name: onnxruntime.OrtValue.ortvalue_from_numpy(a) for name, a in caches(session, 2, 16).items()}
    logits = bound(session, texts, mask, np.tile(np.arange(6), (2, 1)), buffers)[[0, 1], [5, 2]]
    for _ in range(4):
        for text, row in zip(grown, logits, strict=True):
            np.testing.assert_allclose(row, keras_logits(model, text)[-1], atol=1e-4)
            text.append(int(row.argmax()))
        lengths = np.array([[len(text)] for text in grown])
        mask = (np.arange(lengths.max()) < lengths).astype(np.int64)
        logits = bound(session, np.array([text[-1:] for text in grown]), mask, lengths - 1, buffers)[:, 0]


def bound(session, ids, mask, positions, buffers) -> np.ndarray:
    binding = session.io_binding()
    for name, array in {"input_ids": ids, "attention_mask": mask, "position_ids": positions}.items():
        binding.bind_cpu_input(name, np.ascontiguousarray(array))
    for name, buffer in buffers.items():
        binding.bind_ortvalue_input(name, buffer)
        binding.bind_ortvalue_output(name.replace("past_key_values", "present"), buffer)
    binding.bind_output("logits")
    session.run_with_iobinding(binding)
    return binding.get_outputs()[-1].numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_standard_operators_alone_give_the_logits_of_keras(family):
    model = small(family)
    parts = read_parts(model, CONTEXT)
    lowered = lower_causal(parts, portable=True)
    assert {node.domain for node in lowered.graph} == {""}
    session = session_of(lowered)
    ids, mask = ragged((5, 1, 9))
    logits, past = run(session, ids, mask, np.tile(np.arange(9), (3, 1)), caches(session, 3, 0))
    for row, length in enumerate((5, 1, 9)):
        np.testing.assert_allclose(logits[row, :length], keras_logits(model, ids[row, :length]), atol=1e-4)
    after, mask = np.array([[3], [8], [4]]), np.concatenate([mask, np.ones((3, 1), np.int64)], axis=1)
    logits, _ = run(session, after, mask, np.array([[5], [1], [9]]), past)
    for row, length in enumerate((5, 1, 9)):  # the padding between is hidden by the mask
        whole = [*ids[row, :length], after[row, 0]]
        np.testing.assert_allclose(logits[row, 0], keras_logits(model, whole)[-1], atol=1e-4)


def test_logits_that_nobody_reads_are_not_made(decoder):
    _, session = decoder
    ids, mask = ragged((5,))
    every, _ = run(session, ids, mask, np.arange(5)[None], caches(session, 1, 0))
    for keep in (1, 3, 9):
        kept, _ = run(session, ids, mask, np.arange(5)[None], caches(session, 1, 0), num_logits_to_keep=np.array(keep))
        np.testing.assert_allclose(kept, every[:, -keep:], atol=1e-5)
        assert kept.shape[1] == min(keep, 5)
