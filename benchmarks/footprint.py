"""What serving costs: seconds from process start to the first answer, peak memory, installed size.

    python benchmarks/footprint.py [BUNDLE]

Without a bundle, one is exported from an untrained LSTM classifier of 10,000 words, 32 dimensions and 128 units.
That is done in a process of its own: a process's peak memory counts what it was forked from.
"""

import multiprocessing
import os
import re
import subprocess
import sys
import tempfile
import time
from importlib import metadata
from pathlib import Path

from kerasllm.console import print_table
from kerasllm.serving.bundle import open_bundle

REPEATS = 7
SERVE = "import sys; from kerasllm.serving import load; print(load(sys.argv[1], variant=sys.argv[2])('a great film'))"


def main() -> None:
    """Prints the tables."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "bundle"
        if len(sys.argv) == 1:
            export = multiprocessing.get_context("spawn").Process(target=export_untrained, args=(bundle,))
            export.start()
            export.join()
        variants = list(open_bundle(bundle).manifest.variants)
        rows = [["import numpy, nothing else", *start("import numpy; print()", [])]]
        rows += [[name, *start(SERVE, [str(bundle), name])] for name in variants]
    print_table("start to first answer (median)", ["variant", "seconds", "peak MB"], rows)
    needs = metadata.requires("kerasllm") or []
    sizes = installed(
        [need for need in needs if "extra ==" not in need or "extra == 'serving'" in need.replace('"', "'")]
    )
    rows = [[name, f"{size / 1e6:.0f}"] for name, size in sorted(sizes.items(), key=lambda item: -item[1])]
    print_table(
        "installed by the serving extra", ["package", "MB"], [*rows, ["all", f"{sum(sizes.values()) / 1e6:.0f}"]]
    )


def start(program: str, arguments: list[str]) -> list[str]:
    """Median seconds until the program's first line, and its largest peak resident memory, in a process of its own."""
    seconds, peaks = [], []
    for _ in range(REPEATS):
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE)
        process.stdout.readline()
        seconds.append(time.perf_counter() - began)
        process.stdout.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"the program ended with {process.returncode}")
        peaks.append(usage.ru_maxrss / 1024)
    return [f"{sorted(seconds)[REPEATS // 2]:.3f}", f"{max(peaks):.0f}"]


def installed(names: list[str]) -> dict[str, int]:
    """Bytes of packages, named by their requirements, and of all that they need, optional parts left out."""
    sizes: dict[str, int] = {}
    while names:
        name = re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", names.pop())[0]).lower()
        if name in sizes:
            continue
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # needed on another system only
        sizes[name] = sum(Path(file.locate()).stat().st_size for file in found.files or [] if file.locate().is_file())
        names += [need for need in found.requires or [] if "extra ==" not in need]
    return sizes


def export_untrained(out: Path) -> None:
    """Makes a bundle of the size that the classifier has by default."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    from kerasllm.classifier import ClassifierConfig, build_classifier
    from kerasllm.export import export_bundle

    words = ["[PAD]", "[UNK]", *(f"word{number}" for number in range(9_998))]
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = build_classifier(ClassifierConfig(), vocab_size=len(words), classes=2)
    export_bundle(model, out, tokenizer=tokenizer, labels=["negative", "positive"])


if __name__ == "__main__":
    main()
