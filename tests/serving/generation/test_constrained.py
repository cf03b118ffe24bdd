"""Whatever the model would say, what comes out fits the schema."""

import json

import pytest

pytest.importorskip("llguidance", reason="the extra `constrained` is not installed")

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 4},
        "age": {"type": "integer", "maximum": 150, "minimum": 0},
    },
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize("seed", range(5))
def test_texts_fit_the_schema(generator, seed):
    schema = SCHEMA if seed % 2 else json.dumps(SCHEMA)
    result = generator.generate("a", json_schema=schema, max_new_tokens=60, do_sample=True, seed=seed)
    document = json.loads(result.text)
    assert result.finish_reason == "stop"
    assert json.dumps(document, ensure_ascii=False) == result.text or "\\" in result.text
    assert list(document) == ["name", "age"]
    assert len(document["name"]) <= 4
    assert 0 <= document["age"] <= 150


def test_a_batch_and_guesses_keep_to_it(generator):
    alone = [generator.generate(p, json_schema=SCHEMA, max_new_tokens=60) for p in ("a", "hello")]
    assert generator.generate(["a", "hello"], json_schema=SCHEMA, max_new_tokens=60) == alone
    guessed = generator.generate("hello", json_schema=SCHEMA, max_new_tokens=60, prompt_lookup_num_tokens=4)
    assert guessed == alone[1]


def test_a_text_that_is_cut_says_so(generator):
    result = generator.generate("a", json_schema=SCHEMA, max_new_tokens=5)
    assert (result.finish_reason, len(result.token_ids)) == ("length", 5)


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ("{no json", "must be a JSON object"),
        ("[1]", "must be a JSON object"),
        ({"type": "nonsense"}, "cannot be followed"),
        ({"a": {1}}, "must be a JSON object"),
    ],
)
def test_schemas_that_are_none(generator, schema, says):
    with pytest.raises(ValueError, match=says):
        generator.generate("a", json_schema=schema)
