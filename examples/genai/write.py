"""Writes a text with onnxruntime-genai, which runs a decoder's bundle as it is.

    pip install onnxruntime-genai
    python write.py BUNDLE "Once upon a time" [TOKENS]

genai takes the file that genai_config.json names: write another one of onnx/ there for fp32 or int8.
"""

import sys
from collections.abc import Iterator, Sequence

import onnxruntime_genai as genai


def likeliest(model: genai.Model, prompt: Sequence[int], count: int) -> Iterator[int]:
    """The likeliest tokens after a prompt, each as soon as it is known; the one that ends the text is the last.

    Args:
        model: The opened bundle.
        prompt: Its token ids.
        count: How many at most.
    """
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(prompt) + count, do_sample=False)
    generator = genai.Generator(model, parameters)
    generator.append_tokens(list(prompt))
    while not generator.is_done():
        generator.generate_next_token()
        yield int(generator.get_next_tokens()[0])


def main(bundle: str, text: str, count: str = "100") -> None:
    """Prints the text as it is written."""
    genai.disable_telemetry_events()
    model = genai.Model(bundle)
    tokenizer = genai.Tokenizer(model)
    tokenizer.update_options(add_special_tokens="true")  # what tokenizer.json puts before a text
    stream = tokenizer.create_stream()
    print(text, end="")
    for token in likeliest(model, tokenizer.encode(text).tolist(), int(count)):
        print(stream.decode(token), end="", flush=True)
    print()


if __name__ == "__main__":
    main(*sys.argv[1:])
