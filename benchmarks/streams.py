"""How many tokens a second does one engine write, for one stream and for many at once?

    python benchmarks/streams.py BUNDLE [--variant NAME] [--streams 1 4 16 64] [--slots N] [--threads N]

Every stream has a prompt of its own, of random tokens, and is written greedily to its full length; all are asked for at
once. Numbers of streams take turns, round after round, so what the machine does besides hits all alike. A line gives
the medians: tokens a second of all streams, from the first question to the last answer, times those of one stream; the
time to a stream's first piece; and the longest that one waited between two of its pieces.
"""

import argparse
import statistics
import time
from threading import Event

import numpy as np

from kerasllm.serving import load
from kerasllm.serving.generation.engine import DecodeEngine
from kerasllm.serving.generation.options import GenerationOptions


class Stream:
    """One caller: when its pieces came."""

    def __init__(self, engine: DecodeEngine, prompt: list[int], length: int) -> None:
        options = GenerationOptions(max_new_tokens=length, min_new_tokens=length)
        self.began = time.perf_counter()
        self.times: list[float] = []
        self.done = Event()
        self.ticket = engine.submit(prompt, options, self._hear)

    def _hear(self, index: int, piece: object) -> None:
        if isinstance(piece, Exception):
            raise piece
        self.times.append(time.perf_counter())
        if getattr(piece, "finish_reason", None):
            self.done.set()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("--variant")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--chunk", type=int, default=64, help="tokens of prompts read between two steps")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of a prompt")
    parser.add_argument("--generated", type=int, default=64, help="tokens of an answer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    generator = load(options.bundle, options.variant, options.threads, "cpu")
    engine, random = DecodeEngine(generator, slots=options.slots, chunk=options.chunk), np.random.default_rng(0)
    results: dict[int, list[tuple[float, float, float]]] = {count: [] for count in options.streams}
    for _ in range(options.rounds):
        for count, measured in results.items():
            prompts = random.integers(0, generator.graph.vocab_size, (count, options.prompt)).tolist()
            measured.append(run(engine, prompts, options.generated))
    engine.close()
    one = statistics.median(rate for rate, _, _ in results[options.streams[0]])
    print("| streams | tokens / s | times one | first piece, ms | longest wait, ms |\n|--:|--:|--:|--:|--:|")
    for count, measured in results.items():
        rate, first, wait = (statistics.median(values) for values in zip(*measured, strict=True))
        print(f"| {count} | {rate:.1f} | {rate / one:.2f} | {first * 1e3:.0f} | {wait * 1e3:.0f} |")


def run(engine: DecodeEngine, prompts: list[list[int]], length: int) -> tuple[float, float, float]:
    """Tokens a second of all streams, a stream's seconds to its first piece, and its longest wait between two."""
    streams = [Stream(engine, prompt, length) for prompt in prompts]
    for stream in streams:
        stream.done.wait()
    seconds = max(stream.times[-1] for stream in streams) - streams[0].began
    tokens = sum(len(stream.ticket.texts[0].token_ids) for stream in streams)
    first = statistics.median(stream.times[0] - stream.began for stream in streams)
    wait = statistics.median(max(np.diff(stream.times), default=0.0) for stream in streams)
    return tokens / seconds, first, float(wait)


if __name__ == "__main__":
    main()
