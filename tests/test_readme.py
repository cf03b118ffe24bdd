"""The README's blocks do what they say: each shell command and each Python block runs, in order, in one folder."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """The `kerasllm` lines of the shell blocks, without their comments; set-up lines (make, pip) are tried by CI."""
    return [line for line in shell_lines() if line.startswith("kerasllm ")]


def shell_lines() -> list[str]:
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    return [line.partition("  #")[0].strip() for line in lines]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Where the commands run; the page itself is a text that lies there."""
    path = tmp_path_factory.mktemp("readme")
    (path / "README.md").write_text(README, encoding="utf-8")
    return path


def run(arguments: list[str], folder: Path, **settings: str) -> str:
    environment = {**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "COLUMNS": "120", **settings}
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# One process for all: TensorFlow's import takes longer than most of the commands.
ONE_AFTER_THE_OTHER = """
import json, sys
from kerasllm.cli import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as end:
        if end.code:
            sys.exit(f"{words} ended with {end.code}")
"""


def test_the_shell_blocks_run_in_order(folder):
    words = [shlex.split(command)[1:] for command in commands()]
    assert len(words) >= 4
    # The first is minutes long, and tests/test_quickstart.py runs it small; the second never ends: below.
    words = [each for each in words if each[0] not in ("quickstart", "serve")]
    run([sys.executable, "-c", ONE_AFTER_THE_OTHER, json.dumps(words)], folder)
    _serve_and_ask(folder)


def test_a_command_that_names_a_backend_runs_on_it(folder):
    (line,) = (line for line in shell_lines() if line.startswith("KERAS_BACKEND="))
    setting, _, *words = shlex.split(line)
    run([sys.executable, "-m", "kerasllm", *words], folder, **dict([setting.split("=")]))
    assert (folder / words[words.index("--out") + 1] / "metrics.json").is_file()


def _serve_and_ask(folder: Path) -> None:
    """The server, with the bundles that the commands have made, and its clients."""
    (serve,) = (shlex.split(command) for command in commands() if command.startswith("kerasllm serve"))
    (curl,) = (line for line in "".join(blocks("sh")).splitlines() if line.startswith("curl "))
    (client,) = (block for block in blocks("python") if "localhost" in block)
    command = [sys.executable, "-m", "kerasllm", *serve[1:-1], "0", "--json"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        try:
            port = json.loads(server.stdout.readline())["address"].rpartition(":")[2]
            there = [word.replace("8080", port) for word in shlex.split(curl)]
            assert json.loads(run(["curl", "--silent", *there[1:]], folder))[0]["score"] > 0.5
            (folder / "client.py").write_text(client.replace("8080", port), encoding="utf-8")
            assert run([sys.executable, "client.py"], folder)
        finally:
            server.terminate()


def test_the_python_blocks_run(folder):
    assert blocks("python")
    for index, block in enumerate(each for each in blocks("python") if "localhost" not in each):
        script = folder / f"block_{index}.py"
        script.write_text(block, encoding="utf-8")
        run([sys.executable, str(script)], folder)


def test_every_file_it_names_is_there():
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert links
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_two_commands_stand_on_the_first_screen():
    first_screen = "\n".join(README.splitlines()[:25])
    for target in ("make quickstart", "make test"):
        assert target in first_screen
        assert re.search(rf"^{target.split()[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_matrix_is_that_of_the_last_run():
    matrix = (ROOT / "tests" / "interop" / "matrix.md").read_text(encoding="utf-8")
    assert matrix.strip() in README
