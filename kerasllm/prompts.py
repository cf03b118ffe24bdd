"""Few-shot prompts: examples of a task, then the case to solve, for a decoder that was taught no instructions.

Source: "Language Models are Few-Shot Learners", Brown et al. 2020 (in-context learning).
"""

from collections.abc import Sequence

# Between examples; give it to `generate` as a stop string, or the decoder goes on with examples of its own.
SEPARATOR = "\n\n"


def few_shot_prompt(
    examples: Sequence[tuple[str, str]],
    query: str,
    *,
    instruction: str = "",
    names: tuple[str, str] = ("Input", "Output"),
) -> str:
    """A prompt whose likeliest continuation is the answer to `query`.

    Args:
        examples: Pairs of a case and its answer.
        query: The case to solve.
        instruction: What the task is, if that helps.
        names: What stands before a case and before an answer.

    Returns:
        A text that ends where the answer begins, without a space: most tokenizers put it before the word.

    Raises:
        ValueError: An example holds a blank line, which would end it.
    """
    texts = [instruction, query, *(text for example in examples for text in example)]
    broken = next((text for text in texts if SEPARATOR in text), None)
    if broken is not None:
        raise ValueError(f"Examples must hold no blank line, which ends them. Received: {broken!r:.80}.")
    shown = [f"{names[0]}: {case}\n{names[1]}: {answer}" for case, answer in examples]
    return SEPARATOR.join([*([instruction] if instruction else []), *shown, f"{names[0]}: {query}\n{names[1]}:"])


def few_shot_messages(
    examples: Sequence[tuple[str, str]], query: str, *, instruction: str = ""
) -> list[dict[str, str]]:
    """The same as a dialogue, for a decoder with a chat template.

    Args:
        examples: Pairs of a case and its answer.
        query: The case to solve.
        instruction: What the task is: the system's message.

    Returns:
        Messages {"role", "content"}, the query last.
    """
    pairs = [(("user", case), ("assistant", answer)) for case, answer in examples]
    said = [("system", instruction)] if instruction else []
    said += [message for pair in pairs for message in pair]
    return [{"role": role, "content": content} for role, content in [*said, ("user", query)]]
