"""Open a bundle folder: nothing in it is used before its size and digest agree with the manifest."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import BundleError
from .manifest import MANIFEST, Manifest, parse_manifest

# A manifest is some kilobytes; more is no manifest, and is not read.
_MANIFEST_LIMIT = 4 * 2**20


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """An opened bundle."""

    path: Path
    """The folder."""
    manifest: Manifest
    """Its checked manifest."""

    def read(self, name: str) -> bytes:
        """The bytes of the file `name`, read once and compared with the manifest.

        Args:
            name: A path of the manifest, relative to the folder.

        Raises:
            BundleError: The file is not in the manifest, is missing, or differs from what was exported.
        """
        if name not in self.manifest.files:
            raise BundleError(f"The bundle {self.path} has no file {name!r} in its manifest. Export the model again.")
        data = _resolve(self.path, name).read_bytes()
        if hashlib.sha256(data).hexdigest() != self.manifest.files[name].sha256:
            raise _differs(self.path, name)
        return data

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Compares files with the manifest without holding them in memory.

        Args:
            names: The files; every file of the bundle when left out.

        Raises:
            BundleError: A file differs from what was exported.
        """
        for name in self.manifest.files if names is None else names:
            with _resolve(self.path, name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != self.manifest.files[name].sha256:
                    raise _differs(self.path, name)

    @contextmanager
    def verified(self, *names: str) -> Iterator[Path]:
        """The path of a file that is as it was exported, for readers that take a path; it must stay so while they read.

        Args:
            *names: Paths of the manifest, relative to the folder: the file, and others that are read with it.

        Raises:
            BundleError: A file differs from what was exported, or was replaced or written to within the block.
        """
        before = [_identity(self.path, name) for name in names]
        self.verify(names)
        yield self.path / names[0]
        for name, identity in zip(names, before, strict=True):
            if _identity(self.path, name) != identity:
                raise _differs(self.path, name)

    def variant_file(self, variant: str | None) -> tuple[str, str]:
        """The name of a variant and the file of its graph.

        Args:
            variant: A variant of the manifest; the default one when None.

        Raises:
            ValueError: The bundle has no such variant.
        """
        name = variant or self.manifest.default_variant
        if name not in self.manifest.variants:
            raise ValueError(f"The variant must be one of {sorted(self.manifest.variants)}. Received: {variant!r}.")
        return name, self.manifest.variants[name]["file"]


def open_bundle(path: str | Path) -> Bundle:
    """Opens a bundle: the manifest is checked, and every file must be there with the size that it was exported with.

    Digests are compared where the bytes are read (`Bundle.read`), or for every file by `Bundle.verify`.

    Args:
        path: The bundle folder.

    Returns:
        The bundle.

    Raises:
        BundleError: There is no bundle, it is damaged or incomplete, or of another program or a newer version.
    """
    folder = Path(path)
    manifest_file = folder / MANIFEST
    if not manifest_file.is_file():
        raise BundleError(_why_no_bundle(folder))
    if manifest_file.stat().st_size > _MANIFEST_LIMIT:
        raise BundleError(f"{manifest_file} is larger than a manifest can be ({_MANIFEST_LIMIT} bytes): not a bundle.")
    bundle = Bundle(path=folder, manifest=parse_manifest(manifest_file.read_bytes()))
    for name, record in bundle.manifest.files.items():
        size = _resolve(folder, name).stat().st_size
        if size != record.bytes:
            raise BundleError(
                f"The bundle {folder} is damaged: {name} must have {record.bytes} bytes. Received: {size} bytes. "
                "Export or copy it again."
            )
    return bundle


def _resolve(folder: Path, name: str) -> Path:
    """The real path of a file; neither it nor a link on the way may lead out of the folder."""
    real = (folder / name).resolve()
    if not real.is_relative_to(folder.resolve()):
        raise BundleError(f"The bundle {folder} is not safe to open: {name} is a link that leads out of the folder.")
    if not real.is_file():
        raise BundleError(f"The bundle {folder} is incomplete: {name} is missing. Export or copy it again.")
    return real


def _identity(folder: Path, name: str) -> tuple[int, ...]:
    """What changes when a file is replaced or written to."""
    status = _resolve(folder, name).stat()
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _differs(folder: Path, name: str) -> BundleError:
    return BundleError(
        f"The bundle {folder} is damaged: {name} is not the file that was exported (its sha256 differs). "
        "Export or copy it again."
    )


def _why_no_bundle(path: Path) -> str:
    """One sentence on what `path` is instead of a bundle."""
    cure = "Export a model with `kerasllm export SOURCE --out BUNDLE` and name that folder."
    if not path.exists():
        return f"There is no bundle at {path}. {cure}"
    if path.is_file():
        return f"A bundle is a folder with a {MANIFEST}, and {path} is a single file. {cure}"
    if any(path.rglob("*.onnx")):
        return f"{path} holds ONNX files but no {MANIFEST}: it comes from another project or its export was cut. {cure}"
    return f"{path} is no bundle: it has no {MANIFEST}. {cure}"
