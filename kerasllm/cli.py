"""The command line: one verb an activity, each loaded only when it is called.

Exit codes: 0 done, 2 the request or its input was wrong, 1 the job failed. An error is one sentence on stderr; the
traceback is there for who asks with --debug.
"""

import os
import sys
from collections.abc import Sequence

import cyclopts

from . import __version__

VERBS = {
    "quickstart": "Train, export, verify and measure a small classifier in a few minutes.",
    "train": "Fit a text classifier on labelled texts; writes a RUN folder.",
    "pretrain": "Teach an encoder (or --decoder) a language from running text; writes a RUN folder.",
    "finetune": "Fit an encoder for a task, or a --decoder for dialogues; writes a RUN folder.",
    "distill": "Fit a small student on what a larger teacher says of labelled texts; writes a RUN folder.",
    "evaluate": "Score a RUN or a BUNDLE on its task's examples, with the task's own metrics.",
    "export": "Turn a RUN, a folder of weights or a .keras file into a verified ONNX BUNDLE, fp32 and int8.",
    "predict": "Ask a BUNDLE: label texts, find entities, answer questions, embed texts, fill masks.",
    "generate": "Let a text-generation BUNDLE go on from a prompt; the text appears as it is written.",
    "chat": "Talk with a text-generation BUNDLE that has a chat template; answers appear as they are written.",
    "serve": "Answer requests over HTTP with one BUNDLE or several: OpenAI's API, /embed, /classify, KServe's.",
    "bench": "Measure a BUNDLE's latency and throughput on this machine.",
    "inspect": "Show what is inside a RUN, a BUNDLE or an ONNX file.",
}

_DECODER_VERBS = ("pretrain", "finetune")  # with --decoder

_EPILOGUE = """Examples:

    kerasllm train reviews.csv --out runs/reviews

    kerasllm export runs/reviews --out bundles/reviews

    kerasllm predict bundles/reviews "not bad at all"

Every verb has --help. Add --debug to any of them to see the traceback of an error."""


def build_app(called: str | None = None, *, decoder: bool = False) -> cyclopts.App:
    """The application with its verbs, none of them imported yet.

    Args:
        called: The verb that is about to run: its help comes from its own docstring. The others show their summary,
            so that `kerasllm --help` imports none of them.
        decoder: Whether it is about a decoder, which has settings of its own.
    """
    app = cyclopts.App(
        name="kerasllm",
        help="From Keras `fit` to a small, fast, self-contained ONNX bundle.",
        help_epilogue=_EPILOGUE,
        version=__version__,
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        # A server is often set up by its environment: KERASLLM_SERVE_PORT is --port.
        config=cyclopts.config.Env("KERASLLM_") if called == "serve" else (),
    )
    for verb, summary in VERBS.items():
        name = f"{verb}_decoder" if decoder and verb in _DECODER_VERBS else verb
        app.command(f"kerasllm.verbs.{name}:{name}", name=verb, help=None if verb == called else summary)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command line and exits.

    Args:
        arguments: The words after `kerasllm`; by default, this process's.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are not for our users
    try:
        decoder = any(word.split("=")[0] == "--decoder" for word in words)
        build_app(words[0] if words else None, decoder=decoder)(words)
    except (cyclopts.CycloptsError, ValueError, FileNotFoundError, FileExistsError, ImportError) as error:
        _fail(error, 2, debug)
    except KeyboardInterrupt as error:
        _fail(error, 130, debug)
    except BrokenPipeError:
        # Whoever read our output has seen enough (kerasllm ... | head): no message, and none from Python at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        _fail(error, 1, debug)
    sys.exit(0)


def _fail(error: BaseException, code: int, debug: bool) -> None:
    """Says what went wrong in one sentence and exits with `code`."""
    if debug:
        raise error
    message = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyboardInterrupt):
        message = "Interrupted."
    if isinstance(error, OSError) and error.filename is None and error.strerror:
        message = error.strerror
    print(f"kerasllm: {message}", file=sys.stderr)
    sys.exit(code)
