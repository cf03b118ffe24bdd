"""Keys and values of texts in one buffer that the graph reads and writes in place."""

from collections.abc import Sequence

import numpy as np
import onnxruntime

from .graph import DecoderGraph

# The buffer and the mask grow by so many tokens: a run in between binds nothing anew.
_GRAIN = 64
# Most tokens of a prompt in one run: the products are full long before, and attention's scores stay small.
PIECE = 512
# Rows that matrix products take at once.
_BLOCK = 128


class DecodeSession:
    """Texts that are being read and written, a slot each; past and present of a slot are the same memory.

    A slot is contiguous, [kv_heads, capacity, head_size] of every layer, so prompts are read slot by slot (the
    attention operator takes several tokens after a past only of one row) and the first slots step together. It serves
    one thread at a time.
    """

    def __init__(self, graph: DecoderGraph, slots: int = 1) -> None:
        """Opens a session; memory is taken when texts need it.

        Args:
            graph: The graph.
            slots: Most texts at once.
        """
        self.graph = graph
        self.slots = slots
        self.ids: list[list[int]] = [[] for _ in range(slots)]
        self._lengths = np.zeros(slots, np.int64)
        self._capacity = 0
        self._buffers: list[np.ndarray] = []
        self._step: _Step | None = None

    @property
    def bytes(self) -> int:
        """Size of the buffer in bytes."""
        return sum(buffer.nbytes for buffer in self._buffers)

    def reserve(self, tokens: int) -> None:
        """Makes room for texts of so many tokens; what the slots hold stays. Pages nobody wrote take no memory.

        Room at least doubles, so that what is held is copied seldom.
        """
        if tokens <= self._capacity:
            return
        capacity = min(max(-(-tokens // _GRAIN) * _GRAIN, 2 * self._capacity), self.graph.context)
        cache, used = self.graph.cache, int(self._lengths.max())
        shape = (self.slots, cache.kv_heads, capacity, cache.head_size)
        for index in range(len(self.graph.pasts)):
            grown = np.zeros(shape, self.graph.dtype)
            if self._capacity:  # one layer after the other: both sizes of all of them are never there at once
                grown[:, :, :used] = self._buffers[index][:, :, :used]
                self._buffers[index] = grown
            else:
                self._buffers.append(grown)
        self._capacity, self._step = capacity, None

    def extend(self, slot: int, ids: Sequence[int] | np.ndarray, *, keep: int = 1, piece: int = PIECE) -> np.ndarray:
        """Reads tokens after those that a slot holds.

        Args:
            slot: The slot.
            ids: Token ids [tokens], one at least.
            keep: Of how many tokens, counted from the last, the logits are wanted.
            piece: Most tokens of one run.

        Returns:
            float32 [keep, vocabulary].
        """
        tokens = np.asarray(ids, np.int64)
        self.reserve(int(self._lengths[slot]) + len(tokens))
        parts = []
        while len(tokens):
            part, tokens = np.split(tokens, [piece_size(len(tokens), piece)])
            logits = self._run_piece(slot, part, max(1, min(len(part), keep - len(tokens))))
            if len(tokens) < keep:
                parts.append(logits)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def step(self, tokens: Sequence[int]) -> np.ndarray:
        """Reads one more token in each of the first slots, together.

        Args:
            tokens: A token id for slots 0, 1, ...

        Returns:
            float32 [slots, vocabulary], valid until the next step.
        """
        count = len(tokens)
        lengths = self._lengths[:count]
        longest = int(lengths.max()) + 1
        self.reserve(longest)
        step = self._step
        if step is None or step.count != count or step.width < longest:
            step = self._step = _Step(self, count, min(-(-longest // _GRAIN) * _GRAIN, self._capacity))
        logits = step.run(tokens, lengths)
        lengths += 1
        for slot, token in enumerate(tokens):
            self.ids[slot].append(token)
        return logits

    def truncate(self, slot: int, length: int) -> None:
        """Forgets all but the first tokens of a slot."""
        del self.ids[slot][length:]
        self._lengths[slot] = length
        if self._step is not None:
            self._step.fresh = False

    def copy(self, source: int, target: int, length: int | None = None) -> None:
        """Makes a slot hold what another holds, or its first `length` tokens."""
        length = int(self._lengths[source]) if length is None else length
        if source != target:
            for buffer in self._buffers:
                buffer[target, :, :length] = buffer[source, :, :length]
            self.ids[target] = self.ids[source][:length]
        self.truncate(target, length)

    def swap(self, first: int, second: int) -> None:
        """Makes two slots hold what the other holds."""
        length = int(self._lengths[[first, second]].max())
        for buffer in self._buffers:
            held = buffer[first, :, :length].copy()
            buffer[first, :, :length] = buffer[second, :, :length]
            buffer[second, :, :length] = held
        self.ids[first], self.ids[second] = self.ids[second], self.ids[first]
        self._lengths[[first, second]] = self._lengths[[second, first]]
        if self._step is not None:
            self._step.fresh = False

    def bind(self, slots: slice, arrays: dict[str, np.ndarray], logits: np.ndarray) -> onnxruntime.IOBinding:
        """Binds the graph to some slots, to its other inputs by role, and to the memory of its logits."""
        binding = self.graph.session.io_binding()
        for role, name in self.graph.inputs.items():
            _bind(binding.bind_input, name, arrays[role])
        if self.graph.keeps_last:
            _bind(binding.bind_input, "num_logits_to_keep", arrays["num_logits_to_keep"])
        for (past, present), buffer in zip(self.graph.pasts, self._buffers, strict=True):
            _bind(binding.bind_input, past, buffer[slots])
            _bind(binding.bind_output, present, buffer[slots])
        _bind(binding.bind_output, self.graph.output, logits)
        return binding

    def _run_piece(self, slot: int, tokens: np.ndarray, keep: int) -> np.ndarray:
        length, count = int(self._lengths[slot]), len(tokens)
        arrays = {
            "input_ids": tokens[None],
            "attention_mask": np.ones((1, length + count), np.int64),
            "position_ids": np.arange(length, length + count)[None],
            "num_logits_to_keep": np.array(keep),
        }
        rows = keep if self.graph.keeps_last else count
        logits = np.empty((1, rows, self.graph.vocab_size), self.graph.logits_dtype)
        binding = self.bind(slice(slot, slot + 1), arrays, logits)
        self.graph.session.run_with_iobinding(binding)
        self.ids[slot] += tokens.tolist()
        self._lengths[slot] += count
        if self._step is not None:
            self._step.fresh = False
        return logits[0, -keep:].astype(np.float32, copy=False)


class _Step:
    """The bound inputs of one token a slot: a step writes them in place and runs."""

    def __init__(self, session: DecodeSession, count: int, width: int) -> None:
        self.count, self.width = count, width
        self.fresh = False
        self._rows = np.arange(count)
        self._session = session.graph.session
        self._ids = np.zeros((count, 1), np.int64)
        self._positions = np.zeros((count, 1), np.int64)
        self._mask = np.zeros((count, width), np.int64)
        self._keep = np.array(1)
        self._logits = np.empty((count, 1, session.graph.vocab_size), session.graph.logits_dtype)
        arrays = {
            "input_ids": self._ids,
            "attention_mask": self._mask,
            "position_ids": self._positions,
            "num_logits_to_keep": self._keep,
        }
        self._binding = session.bind(slice(0, count), arrays, self._logits)

    def run(self, tokens: Sequence[int], lengths: np.ndarray) -> np.ndarray:
        """Logits float32 [count, vocabulary], from tokens [count] that come after `lengths` others."""
        self._ids[:, 0] = tokens
        self._positions[:, 0] = lengths
        if self.fresh:
            self._mask[self._rows, lengths] = 1
        else:  # slots were filled, cut or copied meanwhile
            np.less_equal(np.arange(self.width), lengths[:, None], out=self._mask, casting="unsafe")
            self.fresh = True
        self._session.run_with_iobinding(self._binding)
        return self._logits[:, 0].astype(np.float32, copy=False)


def piece_size(tokens: int, most: int) -> int:
    """How many of some tokens to read in one run, so that it does not matter how a prompt is divided.

    Products are made in blocks of 128 rows, and one row by itself takes other code, which rounds otherwise. In float32
    that is nothing; where int8 products round their inputs, logits then differ in the first digits. So no run has one
    row in its last block, unless the prompt is one token.

    Args:
        tokens: Tokens that are left of the prompt.
        most: Most to read, if it is 3 at least.
    """
    size = min(tokens, max(most, 3))
    while size > 1 and (size % _BLOCK == 1 or tokens - size == 1):
        size -= 1
    return size


def _bind(bind: object, name: str, array: np.ndarray) -> None:
    """Binds memory by its address; whoever binds keeps the array alive."""
    bind(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)  # type: ignore[operator]
