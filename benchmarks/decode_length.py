"""What a token costs as a text grows, and what memory 100,000 tokens take.

    python benchmarks/decode_length.py [BUNDLE] [--variant fp32] [--threads 1] [--quick]

Without a bundle, one is exported from a GPT-2 with random weights: 6 layers, 384 wide, 8,192 words, context 1,088.
The graph's own time grows by attention, which looks at every earlier token; what is done around it must not grow.
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kerasllm.console import print_table
from kerasllm.serving import load

CONTEXT, VOCABULARY = 1088, 8192


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", nargs="?", type=Path)
    parser.add_argument("--variant")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one text and 2,000 tokens, to see that it runs")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = options.bundle or Path(folder) / "bundle"
        if options.bundle is None:  # in a process of its own: what exporting takes of memory is not measured
            export = multiprocessing.get_context("spawn").Process(target=export_random, args=(bundle,))
            export.start()
            export.join()
        generator = load(bundle, variant=options.variant, threads=options.threads)
        length = min(1000, generator.graph.context - 2)
        rows = time_tokens(generator, length, texts=1 if options.quick else 5)
        print_table(
            f"{bundle}: microseconds a token (medians of 100 places)",
            ["tokens before", "whole", "graph", "around it"],
            rows,
        )
        total = 2_000 if options.quick else 100_000
        print_table(
            f"memory while {total:,} tokens are written", ["tokens", "resident MB"], watch_memory(generator, total)
        )


def time_tokens(generator: Any, length: int, texts: int) -> list[list[Any]]:
    """Rows of: tokens before, and microseconds in all, in the graph, and around it, medians of some texts."""
    clock = GraphClock(generator.graph.session)
    generator.graph.session = clock
    whole, inside = np.zeros((2, texts, length))
    for text in range(texts):
        generator.generate([1], max_new_tokens=8)
        moments = write(generator, length, seed=text)
        next(moments)  # the prompt
        clock.seconds = 0.0
        before = time.perf_counter()
        for place in range(1, length):
            next(moments)
            now = time.perf_counter()
            whole[text, place], inside[text, place] = now - before, clock.seconds
            before, clock.seconds = time.perf_counter(), 0.0
        moments.close()
    generator.graph.session = clock.session
    rows = []
    for start in range(0, length, 100):
        part = slice(max(start, 1), start + 100)
        medians = [np.median(each[:, part]) * 1e6 for each in (whole, inside, whole - inside)]
        rows.append([start, *(f"{value:,.1f}" for value in medians)])
    return rows


def write(generator: Any, tokens: int, seed: int) -> Iterator[Any]:
    """A text of so many tokens, drawn by chance, a token at a time."""
    from kerasllm.serving.generation.decoding import decode
    from kerasllm.serving.generation.options import GenerationOptions

    options = GenerationOptions(
        max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, top_k=50, repetition_penalty=1.1, seed=seed
    )
    text = generator._begin([1], options, 0)
    with generator._session([text], 1) as session:
        yield from decode(session, [text])


def watch_memory(generator: Any, total: int) -> Iterator[list[Any]]:
    """Rows of: tokens written, and resident megabytes of this process then."""
    length = generator.graph.context - 2
    written, shown = 0, 0
    while written < total:
        for _ in write(generator, min(length, total - written), seed=written):
            written += 1
        if written >= shown or written == total:
            yield [f"{written:,}", f"{resident():.1f}"]
            shown += total // 10


def resident() -> float:
    """Resident megabytes of this process."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


class GraphClock:
    """A session that counts the seconds inside it."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.seconds = 0.0

    def run_with_iobinding(self, binding: Any) -> None:
        began = time.perf_counter()
        self.session.run_with_iobinding(binding)
        self.seconds += time.perf_counter() - began

    def io_binding(self) -> Any:
        return self.session.io_binding()


def export_random(out: Path) -> None:
    """A bundle of a GPT-2 that has learnt nothing, with a tokenizer of made-up words."""
    from tokenizers import Tokenizer, models

    from kerasllm.export import export_bundle
    from kerasllm.models.causal_models import DecoderShape, build_causal_lm

    shape = DecoderShape(
        decoder="random",
        architecture="gpt2",
        vocab_size=VOCABULARY,
        layers=6,
        heads=6,
        kv_heads=6,
        head_size=64,
        hidden=384,
        intermediate=1536,
        context=CONTEXT,
        tied=True,
    )
    words = {f"w{number}": number for number in range(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="w0"))
    export_bundle(
        build_causal_lm(shape), out, tokenizer=tokenizer, task="text-generation", settings={"eos_token_ids": [0]},
        variants=("fp32",),
    )  # fmt: skip


if __name__ == "__main__":
    main()
