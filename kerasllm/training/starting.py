"""What a training starts from: an empty folder, or the run that is in it; a tokenizer, and an encoder or decoder."""

from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from ..extras import require
from ..models.decoder import DECODER_PRESETS, Decoder, DecoderConfig, open_decoder
from ..models.encoder import PRESETS, Encoder, EncoderConfig, open_encoder
from ..tokenizing.tokenizer import load_tokenizer


def check_out(out: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that holds something, before any work is done for it; and a machine that cannot train."""
    _check_backend()
    if not (resume or overwrite) and Path(out).is_dir() and any(Path(out).iterdir()):
        raise FileExistsError(
            f"A new run needs a new or empty folder. Received: {out}. Name another one, or go on with --resume, "
            "or replace it with --overwrite."
        )


def _check_backend() -> None:
    """Keras must be there, and what it computes with."""
    try:
        require("train", "keras")
    except ModuleNotFoundError as error:
        raise ImportError(
            "Training needs the backend of Keras that KERAS_BACKEND names (tensorflow, jax or torch; default: "
            f"tensorflow). Received: one without the package {error.name!r}. Install it, or name another backend."
        ) from error


def start_tokenizer(out: Path, make: Callable[[], Tokenizer], *, resume: bool) -> Tokenizer:
    """The tokenizer of the run in `out` if it is to go on, else a new one."""
    path = Path(out) / "tokenizer.json"
    return load_tokenizer(path) if resume and path.is_file() else make()


def start_encoder(
    config: EncoderConfig, out: Path, make: Callable[[], Tokenizer], *, resume: bool, seed: int
) -> Encoder:
    """Opens an encoder; one from scratch with the tokenizer of the run in `out` if it is to go on, else a new one.

    Args:
        config: Which encoder.
        out: The RUN folder.
        make: Makes a new tokenizer.
        resume: Whether the run in `out` is to go on.
        seed: Draws the weights of an encoder from scratch.
    """
    require("train", "keras").utils.set_random_seed(seed)
    if config.encoder not in PRESETS:
        return open_encoder(config)
    return open_encoder(config, start_tokenizer(out, make, resume=resume))


def start_decoder(
    config: DecoderConfig, out: Path, make: Callable[[], Tokenizer], *, resume: bool, seed: int
) -> Decoder:
    """Opens a decoder, as `start_encoder` does an encoder."""
    require("train", "keras").utils.set_random_seed(seed)
    if config.decoder not in DECODER_PRESETS:
        return open_decoder(config)
    return open_decoder(config, start_tokenizer(out, make, resume=resume))
