"""Examples before the case to solve."""

import pytest

from kerasllm.prompts import SEPARATOR, few_shot_messages, few_shot_prompt

EXAMPLES = [("cat", "animal"), ("oak", "plant")]


def test_prompt():
    prompt = few_shot_prompt(EXAMPLES, "dog", instruction="Sort.", names=("Thing", "Kind"))
    assert prompt == "Sort.\n\nThing: cat\nKind: animal\n\nThing: oak\nKind: plant\n\nThing: dog\nKind:"
    assert few_shot_prompt([], "dog") == "Input: dog\nOutput:"
    with pytest.raises(ValueError, match="blank line"):
        few_shot_prompt([("a" + SEPARATOR + "b", "c")], "d")


def test_messages():
    roles = [message["role"] for message in few_shot_messages(EXAMPLES, "dog", instruction="Sort.")]
    assert roles == ["system", "user", "assistant", "user", "assistant", "user"]
