"""The foreign programs that open bundles: what each can do, where it lives, and how it is asked.

A program takes two files: jobs to read, {"root", "jobs": [{"bundle", "task", "variant", "inputs", "new_tokens"}]}, and
answers to write, {"answers": [...]} or {"error"} of each. `python -m tests.interop` installs all of them.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import CACHE, environment, python_of
from tests.browser import chromium

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
BROWSER = HERE.parents[1] / "examples" / "browser"
CPP = HERE.parents[1] / "examples" / "cpp"
NODE, BUILD = CACHE / "node", CACHE / "cpp"
ENCODERS = ("text-classification", "token-classification", "question-answering", "feature-extraction", "fill-mask")
TASKS = (*ENCODERS, "text-generation")
_TORCH = ["torch==2.13.0", "transformers==4.57.6"]


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A program that opens bundles."""

    program: str
    """File in programs/."""
    tasks: Sequence[str] = TASKS
    variants: Sequence[str] = ("fp32", "int8", "int4")
    """What it can be asked, of what a bundle has."""
    raw: bool = False
    """Whether it gives the graph's outputs, not a task's answers."""
    requirements: Sequence[str] = ()
    """What its environment holds; none: the project's own."""
    cases: Sequence[str] | None = None
    """The only ones that it has been made for; none: every case of its tasks."""
    needs: Callable[[], str | None] = lambda: None
    """Why it cannot run here; None: it can."""

    def variants_of(self, case: Any) -> list[str]:
        """What it is asked of a case; nothing where it has not the task."""
        if case.task not in self.tasks or (self.cases is not None and case.name not in self.cases):
            return []
        return [variant for variant in self.variants if variant in case.variants]

    def missing(self) -> str | None:
        """Why it cannot run here; None: it can."""
        if self.requirements and not (environment(*self._environment()) / "ready").exists():
            return "its environment is not there: run `make interop`"
        return self.needs()

    def install(self) -> None:
        """Makes its environment.

        Raises:
            RuntimeError: It cannot be made.
        """
        python_of(*self._environment())

    def command(self) -> list[str]:
        """What runs the program."""
        if self.program.endswith(".mjs"):
            return ["node", str(NODE / self.program)]
        return [str(python_of(*self._environment())), str(PROGRAMS / self.program)]

    def ask(self, root: Path, jobs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Runs the program once.

        Args:
            root: The folder of all bundles.
            jobs: What it is to do.

        Returns:
            {"answers"} or {"error"} of each job.
        """
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = Path(folder) / "jobs.json", Path(folder) / "answers.json"
            asked.write_text(json.dumps({"root": str(root), "jobs": jobs}))
            done = subprocess.run(
                [*self.command(), str(asked), str(answered)], capture_output=True, text=True, check=False, env=_quiet()
            )
            if done.returncode or not answered.exists():
                lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
                return [{"error": " ".join(lines[-3:]) or f"ended with {done.returncode}"}] * len(jobs)
            return json.loads(answered.read_text())

    def _environment(self) -> tuple[str, Sequence[str]]:
        return f"interop-{Path(self.program).stem}", self.requirements


def install_node() -> None:
    """Puts transformers.js where the programs of Node and the browser find it.

    Raises:
        OSError, subprocess.CalledProcessError: There is no npm, or it fails.
    """
    NODE.mkdir(parents=True, exist_ok=True)
    shutil.copy(BROWSER / "package.json", NODE)
    if not _node_ready():
        subprocess.run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=NODE, check=True)
    for program in PROGRAMS.glob("*.mjs"):
        shutil.copy(program, NODE)


def build_cpp() -> None:
    """Builds examples/cpp; ONNX Runtime's headers, where the system has none, are in the folder $ONNXRUNTIME_INCLUDE.

    Raises:
        OSError, subprocess.CalledProcessError: A tool is missing, or fails.
    """
    headers = os.environ.get("ONNXRUNTIME_INCLUDE")
    options = [f"-DONNXRUNTIME_INCLUDE={headers}"] if headers else []
    python = f"-DPython3_EXECUTABLE={sys.executable}"
    subprocess.run(["cmake", "-S", str(CPP), "-B", str(BUILD), python, *options], check=True)
    subprocess.run(["cmake", "--build", str(BUILD)], check=True)


def _node_ready() -> bool:
    wanted = json.loads((BROWSER / "package.json").read_text())["dependencies"]
    for name, version in wanted.items():
        package = NODE / "node_modules" / name / "package.json"
        if not package.exists() or json.loads(package.read_text())["version"] != version:
            return False
    return True


def _node() -> str | None:
    if shutil.which("node") is None:
        return "there is no Node"
    return None if _node_ready() else "transformers.js is not installed: run `make interop`"


def _browser() -> str | None:
    return "there is no Chromium" if chromium() is None else _node()


def _cpp() -> str | None:
    return None if (BUILD / "classify").exists() else "examples/cpp is not built: run `make interop`"


def _quiet() -> dict[str, str]:
    """No program may look for models elsewhere, or tell anybody that it runs."""
    names = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY")
    return {**os.environ, **dict.fromkeys(names, "1"), "PYTHONWARNINGS": "default"}


CONSUMERS = {
    "transformers.js in Node": Consumer(program="node.mjs", needs=_node),
    "transformers.js in Chromium": Consumer(program="chromium.py", needs=_browser),
    "Optimum": Consumer(
        program="optimum_onnxruntime.py", requirements=["optimum-onnx==0.1.0", "onnxruntime==1.31.1", *_TORCH, "sympy"]
    ),
    "onnxruntime-genai": Consumer(
        program="genai.py",
        tasks=["text-generation"],
        requirements=["onnxruntime-genai==0.18.0", "onnxruntime==1.31.1", "tokenizers"],
    ),
    "fastembed": Consumer(
        program="fastembed_model.py",
        tasks=["feature-extraction"],
        requirements=["fastembed==0.7.3", "onnxruntime==1.31.1"],
    ),
    "OpenVINO": Consumer(
        program="openvino_runtime.py",
        variants=["portable"],
        raw=True,
        requirements=["openvino==2026.4.1", "tokenizers"],
    ),
    "onnx reference": Consumer(program="reference.py", variants=["portable"], raw=True),
    "C++": Consumer(program="cpp.py", tasks=["text-classification"], cases=["LSTM"], needs=_cpp),
}
