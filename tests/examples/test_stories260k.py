import importlib.util
import json
import struct
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kerasllm.serving import load

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "examples" / "stories260k.py"
specification = importlib.util.spec_from_file_location("stories260k", SCRIPT)
example = importlib.util.module_from_spec(specification)
specification.loader.exec_module(example)


@pytest.fixture(scope="module")
def source(shared_data):
    return shared_data / "pretrained" / "stories260K"


@pytest.fixture(scope="module")
def expected(source):
    return json.loads((source / "expected_greedy.json").read_text(encoding="utf-8"))


def test_keras_tells_the_story_that_it_is_known_to_tell(source, expected):
    """After every beginning of the story its next token is the likeliest, so that is what a greedy loop writes."""
    model = example.read_model(source / "stories260K.bin")
    assert model.count_params() == 264_128 - 2 * 512 * 4  # the file also holds sines and cosines
    ids = np.array([expected["prompt_ids"] + expected["greedy_ids"]])
    logits = np.array(model({"token_ids": ids, "padding_mask": np.ones_like(ids)}))
    assert logits[0, :-1].argmax(axis=-1).tolist() == expected["greedy_ids"]


def test_its_tokens_are_its_text(source, expected):
    tokenizer = example.read_tokenizer(source / "tok512.bin")
    ids = expected["prompt_ids"] + expected["greedy_ids"]
    assert " " + tokenizer.decode(ids) == expected["text"]
    assert tokenizer.encode(expected["text"].removeprefix(" ")).ids == ids


@pytest.fixture(scope="module")
def tokenizer(source):
    return example.read_tokenizer(source / "tok512.bin")


@given(text=st.text(alphabet="aeiountshdl TSO.,'\n") | st.text(max_size=30))
def test_texts_are_cut_as_llama2_c_cuts_them(source, tokenizer, text):
    text = text.replace(example.SPACE, " ")
    assert tokenizer.encode(text, add_special_tokens=False).ids == cut(source / "tok512.bin", text)


def cut(path, text):
    """The algorithm of llama2.c: characters, or their bytes, then again and again the best pair of neighbours."""
    pieces = read(path)
    numbers = {piece: number for number, (piece, _) in enumerate(pieces)}
    ids = []
    for character in f" {text}" if text else "":
        piece = character.encode()
        ids += [numbers[piece]] if piece in numbers else [byte + 3 for byte in piece]
    while True:
        pairs = [pieces[left][0] + pieces[right][0] for left, right in pairwise(ids)]
        known = [(pieces[numbers[pair]][1], -place) for place, pair in enumerate(pairs) if pair in numbers]
        if not known:
            return ids
        place = -max(known)[1]
        ids[place : place + 2] = [numbers[pairs[place]]]


def read(path):
    content, position, pieces = path.read_bytes(), 4, []
    while position < len(content):
        score, length = struct.unpack_from("<fi", content, position)
        pieces.append((content[position + 8 : position + 8 + length], score))
        position += 8 + length
    return pieces


@pytest.fixture(scope="module")
def bundle(source):
    """The bundle that the script makes; it stays where it is, to be tried by hand."""
    out = ROOT / "runs" / "stories260K" / "bundle"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(SCRIPT), str(source), str(out), "--overwrite"])
        example.main()
    return out


def test_its_bundle_tells_the_story_too(bundle, expected):
    generator = load(bundle, variant="fp32")
    count = len(expected["greedy_ids"])
    told = generator.generate(expected["prompt_ids"], max_new_tokens=count)
    assert told.token_ids == expected["greedy_ids"]
    assert " " + told.text == expected["text"]
    pieces = generator.stream(expected["prompt_ids"], max_new_tokens=count)
    assert "".join(piece.text for piece in pieces) == told.text


PROMPTS, MORE = 200, 16


@pytest.fixture(scope="module")
def prompts(expected):
    """Pieces of the story, of 1 to 30 tokens, from wherever."""
    random, ids = np.random.default_rng(0), np.array(expected["greedy_ids"])
    starts, lengths = random.integers(0, 220, PROMPTS), random.integers(0, 30, PROMPTS)
    return [[1, *ids[start : start + length].tolist()] for start, length in zip(starts, lengths, strict=True)]


@pytest.fixture(scope="module")
def oracle(source, prompts):
    """What Keras writes after them when it keeps nothing: every token of every text is computed anew for each one."""
    model = example.read_model(source / "stories260K.bin")
    ids = np.zeros((PROMPTS, 30 + 1 + MORE), np.int32)
    ends = np.array([len(prompt) for prompt in prompts])
    for row, prompt in zip(ids, prompts, strict=True):
        row[: len(prompt)] = prompt
    for _ in range(MORE):
        mask = (np.arange(ids.shape[1]) < ends[:, None]).astype(np.int32)
        logits = np.asarray(model({"token_ids": ids, "padding_mask": mask}))
        ids[np.arange(PROMPTS), ends] = logits[np.arange(PROMPTS), ends - 1].argmax(axis=-1)
        ends += 1
    return [row[len(prompt) : len(prompt) + MORE].tolist() for row, prompt in zip(ids, prompts, strict=True)]


@pytest.mark.parametrize("road", ["alone", "together", "guessed", "nothing kept"])
def test_every_road_writes_what_keras_writes(bundle, prompts, oracle, road):
    generator = load(bundle, variant="fp32")
    if road == "nothing kept":
        logits = [
            generator.logits(prompt + more)[len(prompt) - 1 : -1] for prompt, more in zip(prompts, oracle, strict=True)
        ]
        found = [rows.argmax(axis=-1).tolist() for rows in logits]
    elif road == "together":
        found = [told.token_ids for told in generator.generate(prompts, max_new_tokens=MORE, batch_size=7)]
    else:
        options = {"prompt_lookup_num_tokens": 4} if road == "guessed" else {}
        found = [generator.generate(prompt, max_new_tokens=MORE, **options).token_ids for prompt in prompts]
    ends = set(json.loads((bundle / "kerasllm.json").read_text(encoding="utf-8"))["settings"]["eos_token_ids"])
    assert [until(ends, ids) for ids in found] == [until(ends, ids) for ids in oracle]


def until(ends, ids):
    """The tokens before the first that ends a text."""
    return ids[: next((place for place, token in enumerate(ids) if token in ends), len(ids))]


def test_eight_bits_tell_it_as_well(bundle):
    variants = json.loads((bundle / "kerasllm.json").read_text(encoding="utf-8"))["variants"]
    perplexity = {name: variant["metric"]["value"] for name, variant in variants.items()}
    assert perplexity["int8"] <= 1.01 * perplexity["fp32"]
    assert perplexity["fp32"] == pytest.approx(2.02, abs=0.01)


def test_the_stories_are_found(source):
    first, second = example.stories(source)
    assert first.startswith("Once upon a time, there was a little girl named Lily.")
    assert second.startswith("Once upon a time, there was a little boy named Timmy.")


def test_a_file_cut_short_is_refused(tmp_path):
    path = tmp_path / "short.bin"
    path.write_bytes(struct.pack("<7i", 8, 12, 1, 2, 2, 16, 32) + b"\0" * 100)
    with pytest.raises(ValueError, match="cut short"):
        example.read_model(path)
