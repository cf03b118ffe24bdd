"""Options that make no sense are refused, each with its rule."""

import pytest

from kerasllm.serving.generation.options import GenerationOptions


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_new_tokens": 0}, "max_new_tokens must be a whole number from 1. Received: 0"),
        ({"max_new_tokens": 1.5}, "Received: 1.5"),
        ({"max_new_tokens": None}, "Received: None"),
        ({"min_new_tokens": 200}, "must not be more than max_new_tokens"),
        ({"temperature": 0.7}, "temperature is for drawing by chance. Received: temperature=0.7 with do_sample=False"),
        ({"top_k": 5}, "Set do_sample=True, or leave top_k out"),
        ({"do_sample": True, "temperature": 0}, "for the most likely tokens: do_sample=False"),
        ({"do_sample": True, "temperature": float("nan")}, "temperature must be"),
        ({"do_sample": True, "top_k": 0}, "top_k must be"),
        ({"do_sample": True, "top_k": True}, "Received: True"),
        ({"do_sample": True, "top_p": 0}, "top_p must be"),
        ({"do_sample": True, "top_p": 1.5}, "up to 1"),
        ({"do_sample": True, "min_p": -0.1}, "min_p must be"),
        ({"repetition_penalty": 0}, "repetition_penalty must be"),
        ({"seed": -1}, "seed must be"),
        ({"n": 2}, "every text of a prompt is the same"),
        ({"n": 3, "num_beams": 2}, "num_beams to as many"),
        ({"num_beams": 2, "do_sample": True}, "Beam search does not go with do_sample"),
        ({"num_beams": 2, "prompt_lookup_num_tokens": 3}, "does not go with prompt_lookup_num_tokens"),
        ({"top_logprobs": 3}, "needs logprobs=True"),
        ({"stop": ""}, "A stop string must have a character"),
        ({"stop": ["a", ""]}, "A stop string must have a character"),
        ({"stop": ["a", 3]}, "must be a string or a list of strings"),
        ({"stop": 3}, "must be a string or a list of strings"),
        ({"stop": None}, "must be a string or a list of strings"),
        ({"stop": ["a"] * 65}, "64 strings"),
        ({"stop": "a" * 1001}, "1000 characters"),
        ({"logit_bias": {"a": 1}}, "must map token ids to numbers"),
        ({"logit_bias": {1: float("nan")}}, "must map token ids to numbers"),
    ],
)
def test_what_makes_no_sense(options, says):
    with pytest.raises(ValueError, match=says.replace("(", r"\(")):
        GenerationOptions(**options)


def test_stop_is_one_or_several():
    assert GenerationOptions(stop="a").stops == ("a",)
    assert GenerationOptions(stop=["a", "b"]).stops == ("a", "b")
    assert GenerationOptions().stops == ()
