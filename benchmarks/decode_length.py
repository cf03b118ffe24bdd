"""What a token costs as a text grows, and what memory 100,000 tokens take.

    python benchmarks/decode_length.py [BUNDLE] [--variant fp32] [--threads 1] [--quick]

Without a bundle, one is exported from a GPT-2 with random weights: 6 layers, 384 wide, 8,192 words, context 1,088, and
benchmarks/results/decode_length.md is written. The graph's own time grows by attention, which looks at every earlier
token; ONNX Runtime's profile says how much of it attention is. What is left of the graph, and what is done around it,
must not grow.
"""

import argparse
import datetime
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from kerasllm.serving import load
from kerasllm.serving.bundle import open_bundle
from kerasllm.serving.cpu import read_cpu

RESULTS = Path(__file__).resolve().parent / "results" / "decode_length.md"
CONTEXT, VOCABULARY = 1088, 8192
PLACES = 100  # tokens that a row of the table is the median of
HEAD = """# What a token costs as a text grows

Made by `python benchmarks/decode_length.py`, {date}. CPU: {cpu}, threads: {threads}.

Microseconds a token, the median of 100 places of 5 texts. Attention: its operators in ONNX Runtime's own profile of one
more text.

| tokens before | whole | graph | attention | graph without it | around the graph |
|--:|--:|--:|--:|--:|--:|
{times}
Memory while {total:,} tokens are written, a text after the other:

| tokens | resident MB |
|--:|--:|
{memory}"""


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
        times = time_tokens(generator, length, texts=1 if options.quick else 5)
        total = 2_000 if options.quick else 100_000
        memory = list(watch_memory(generator, total))
        attention = time_attention(generator, bundle, options, length)
    report = HEAD.format(
        date=datetime.date.today(),
        cpu=read_cpu().model,
        threads=options.threads,
        times="".join(_row(start, spent, attention[start]) for start, spent in times.items()),
        total=total,
        memory="".join(f"| {written:,} | {megabytes:.1f} |\n" for written, megabytes in memory),
    )
    print(report)
    if options.bundle is None and not options.quick:
        RESULTS.write_text(report)


def _row(start: int, spent: tuple[float, float, float], attention: float) -> str:
    whole, graph, around = spent
    return f"| {start} | {whole:,.0f} | {graph:,.0f} | {attention:,.0f} | {graph - attention:,.0f} | {around:,.0f} |\n"


def time_tokens(generator: Any, length: int, texts: int) -> dict[int, tuple[float, float, float]]:
    """By tokens before: microseconds in all, in the graph, and around it, medians of some texts."""
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
    parts = zip(*(medians(each * 1e6) for each in (whole, inside, whole - inside)), strict=True)
    return dict(zip(range(0, length, PLACES), parts, strict=True))


def medians(times: np.ndarray) -> list[float]:
    """Of every hundred places of [texts, length]; the first place is the prompt's."""
    return [float(np.median(times[:, max(at, 1) : at + PLACES])) for at in range(0, times.shape[1], PLACES)]


def time_attention(generator: Any, bundle: Path, options: argparse.Namespace, length: int) -> dict[int, float]:
    """By tokens before: microseconds of all layers' attention, as ONNX Runtime's profile has it."""
    opened = open_bundle(bundle)
    with tempfile.TemporaryDirectory() as folder:
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = options.threads
        settings.enable_profiling, settings.profile_file_prefix = True, f"{folder}/profile"
        session = onnxruntime.InferenceSession(
            opened.read(opened.variant_file(options.variant)[1]), settings, providers=["CPUExecutionProvider"]
        )
        before, generator.graph.session = generator.graph.session, session
        for _ in write(generator, length, seed=0):
            pass
        generator.graph.session = before
        events = json.loads(Path(session.end_profiling()).read_text())
    found = [event for event in events if event.get("args", {}).get("op_name") == "GroupQueryAttention"]
    layers = len({event["name"] for event in found})
    times = np.array([event["dur"] for event in sorted(found, key=lambda event: event["ts"])], float)
    return dict(zip(range(0, length, PLACES), medians(times.reshape(1, -1, layers).sum(axis=2)), strict=True))


def write(generator: Any, tokens: int, seed: int) -> Iterator[Any]:
    """A text of so many tokens, drawn by chance, a token at a time."""
    from kerasllm.serving.generation.decoding import Decoding
    from kerasllm.serving.generation.options import GenerationOptions
    from kerasllm.serving.generation.session import DecodeSession

    options = GenerationOptions(
        max_new_tokens=tokens, min_new_tokens=tokens, do_sample=True, top_k=50, repetition_penalty=1.1, seed=seed
    )
    session = DecodeSession(generator.graph, 1)
    session.reserve(tokens + 1)
    decoding = Decoding(session)
    decoding.start(generator.begin([1], options, 0))
    while decoding.running:
        yield from decoding.advance()


def watch_memory(generator: Any, total: int) -> Iterator[tuple[int, float]]:
    """Rows of: tokens written, and resident megabytes of this process then."""
    length = generator.graph.context - 2
    written, shown = 0, 0
    while written < total:
        for _ in write(generator, min(length, total - written), seed=written):
            written += 1
        if written >= shown or written == total:
            yield written, resident()
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
