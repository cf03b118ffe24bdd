"""Export a decoder that others trained: a folder of Hugging Face, or a KerasHub preset."""

from pathlib import Path
from typing import Any

from ..evaluation.examples import Asker, read_held_out
from ..models.causal_models import FAMILIES
from ..models.decoder import DecoderConfig, open_decoder
from ..pretrained.causal_preset import ARCHITECTURES, is_causal_preset
from ..pretrained.generation_settings import read_generation_settings
from ..pretrained.settings import read_json
from .bundle import export_bundle


def is_decoder(source: str) -> bool:
    """Whether a source is a decoder's folder or preset; a RUN is not."""
    folder = Path(source)
    if not (folder / "config.json").is_file():
        return not folder.exists() and is_causal_preset(source)
    settings = read_json(folder / "config.json")
    if "format" in settings:
        return False
    return settings.get("model_type") in FAMILIES or settings.get("class_name") in ARCHITECTURES


def export_decoder(
    source: str,
    out: str | Path,
    *,
    tokenizer: Any = None,
    max_length: int | None = None,
    validation: str | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Exports a decoder with its own tokenizer and chat template.

    Args:
        source: The folder, or the name of the preset.
        out: The bundle folder to make.
        tokenizer: For a preset whose own cannot be read.
        max_length: Tokens of a text; None: the decoder's context.
        validation: A file of running text to take perplexity on.
        **options: Options of `export_bundle`.

    Returns:
        The manifest.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The folder is damaged, or options do not fit it.
        ExportError: As for `export_bundle`.
    """
    from ..tokenizing.tokenizer import load_tokenizer

    given = load_tokenizer(Path(tokenizer)) if isinstance(tokenizer, str | Path) else tokenizer
    decoder = open_decoder(DecoderConfig(decoder=source), given)
    if max_length is not None:
        decoder.check_length(max_length)
    asker = Asker(task="text-generation", tokenizer=decoder.tokenizer)
    examples = None if validation is None else read_held_out(asker, validation)
    return export_bundle(
        decoder.model(),
        out,
        task="text-generation",
        tokenizer=decoder.tokenizer,
        settings=_settings(Path(source), decoder.tokenizer),
        max_length=max_length or decoder.context,
        validation=examples,
        provenance={"source": "decoder", "folder": Path(source).name},
        **options,
    )


def _settings(folder: Path, tokenizer: Any) -> dict[str, Any]:
    """How a folder's texts begin and end; a preset's tokenizer says it by its tokens' names."""
    if not (folder / "config.json").is_file():
        return {}
    found = read_generation_settings(folder, tokenizer)
    own = {"bos_token_id": found.bos_token_id, "add_bos": found.add_bos, "chat_template": found.chat_template}
    return own | ({"eos_token_ids": list(found.eos_token_ids)} if found.eos_token_ids else {})
