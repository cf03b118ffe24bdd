"""Ours: the checkpoint exported to a bundle, which generates as serving does."""

from pathlib import Path

from generating import Generator, serve

BITS = ("fp32", "int8", "int4")


def prepare(checkpoint: Path, out: Path) -> None:
    from kerasllm.export.sources import export_source

    export_source(checkpoint, out / "bundle", task="text-generation", variants=BITS)


def load(checkpoint: Path, prepared: Path, threads: int):
    def opened(variant: str) -> Generator:
        from kerasllm.serving import load as load_bundle

        model = load_bundle(prepared / "bundle", variant=variant, threads=threads, providers="cpu")
        file = {"fp32": "model.onnx", "int8": "model_quantized.onnx", "int4": "model_q4.onnx"}[variant]

        def generate(prompt: list[int], count: int) -> list[int]:
            return model.generate(prompt, max_new_tokens=count).token_ids

        return Generator(generate, prepared / "bundle" / "onnx" / file)

    return {variant: lambda variant=variant: opened(variant) for variant in BITS}


if __name__ == "__main__":
    serve(prepare, load)
