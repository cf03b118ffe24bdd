"""Guards on the layout: what the packaging needs to stay true."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def sources() -> list[Path]:
    return [
        path for part in ("kerasllm", "export", "serving") for path in (ROOT / part).rglob("*.py") if not _linked(path)
    ]


def _linked(path: Path) -> bool:
    return path.relative_to(ROOT).parts[:2] in (("kerasllm", "export"), ("kerasllm", "serving"))


def test_every_package_is_listed():
    folders = {path.parent.relative_to(ROOT) for path in sources()}
    dotted = {".".join(folder.parts) for folder in folders}
    expected = {name if name.startswith("kerasllm") else f"kerasllm.{name}" for name in dotted}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == expected


def test_the_links_make_the_checkout_look_like_the_wheel():
    for part in ("export", "serving"):
        link = ROOT / "kerasllm" / part
        assert link.is_symlink()
        assert link.readlink() == Path("..") / part


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_keep_their_direction(path):
    """Relative imports inside; serving never reaches export or training; nobody imports `export` or `serving` bare."""
    inside = path.relative_to(ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [("." * node.level) + (node.module or "")]
        else:
            continue
        for name in names:
            first = name.split(".")[0]
            assert first not in ("export", "serving", "kerasllm"), f"{name}: import relatively"
            if inside == "serving":
                assert first not in ("keras", "tensorflow", "torch", "transformers", "onnx", "onnx_ir"), name
                assert not name.startswith(("..export", "..training", "..data")), name


def test_importing_the_package_and_its_serving_half_is_light():
    code = (
        "import sys, kerasllm, kerasllm.serving, kerasllm.cli\n"
        "heavy = {'tensorflow', 'keras', 'torch', 'transformers', 'onnx', 'matplotlib', 'sklearn', 'pyarrow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_constraints_are_plain_pins():
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, separator, version = line.partition("==")
        assert separator, line
        assert name, line
        assert version, line
        assert not set(line) & set(" @/;"), line
