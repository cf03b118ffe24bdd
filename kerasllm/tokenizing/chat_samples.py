"""Dialogues to tokens, as a chat template writes them: which tokens there are, and which of them are answers."""

from collections.abc import Collection, Sequence

import numpy as np
from tokenizers import Tokenizer

from ..data.dialogues import Dialogue
from ..serving.generation.dialogue_tokens import DialogueTokens
from .decoder_tokenizer import CHAT

# ChatML, for tokenizers that have its tokens; it is what most published decoders write dialogues in.
CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
# For tokenizers without: roles are words, and the end-of-text token ends an answer.
PLAIN = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] }}"
    "{% if message['role'] == 'assistant' %}{{ eos_token }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
Sample = tuple[np.ndarray, np.ndarray]  # ids, int32 [tokens]; whether each is asked for, bool [tokens]


def default_template(tokenizer: Tokenizer) -> str:
    """The template for a decoder that has none of its own."""
    return CHATML if all(tokenizer.token_to_id(token) is not None for token in CHAT) else PLAIN


def chat_sample(dialogue: Dialogue, tokens: DialogueTokens, ends: Collection[int]) -> Sample:
    """The tokens of a dialogue, those of its answers asked for, with the token that ends each.

    An answer is what a template adds after it was asked for one, so the prompt is tokenized as serving will.

    Args:
        dialogue: Messages, an answer last.
        tokens: Writes and reads them, as serving will.
        ends: Ids that end an answer; what the template writes after one is not asked for.

    Returns:
        The sample.

    Raises:
        ValueError: The template writes the beginning of a dialogue in another way once it goes on, or cannot keep
            messages from writing control tokens.
    """
    pieces: list[tuple[str, bool]] = []
    done = ""
    for index, message in enumerate(dialogue):
        if message["role"] == "assistant":
            prompt = tokens.write(dialogue[:index], add_generation_prompt=True) if index else ""
            whole = tokens.write(dialogue[: index + 1], add_generation_prompt=False)
            if not (prompt.startswith(done) and whole.startswith(prompt)):
                raise ValueError(
                    "A chat template must go on where the prompt for an answer ended. Received: one that writes "
                    f"{whole[len(done) : len(done) + 80]!r} after {done[-40:]!r}. Take another template."
                )
            pieces += [(prompt[len(done) :], False), (whole[len(prompt) :], True)]
            done = whole
    ids, asked = [np.empty(0, np.int32)], [np.empty(0, bool)]
    for text, answer in pieces:
        found = np.array(tokens.encode(text), np.int32)
        ids.append(found)
        asked.append(_until_end(found, ends) if answer else np.zeros(len(found), bool))
    return np.concatenate(ids), np.concatenate(asked)


def fitted(samples: Sequence[Sample], length: int) -> list[Sample]:
    """Samples cut to rows of `length` tokens and the one after, those without an answer in it left out."""
    cut = [(ids[: length + 1], asked[: length + 1]) for ids, asked in samples]
    return [(ids, asked) for ids, asked in cut if asked[1:].any()]


def answer_bytes(samples: Sequence[Sample], tokenizer: Tokenizer) -> int:
    """Bytes of the answers in UTF-8."""
    texts = tokenizer.decode_batch([ids[asked].tolist() for ids, asked in samples], skip_special_tokens=True)
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)


def _until_end(ids: np.ndarray, ends: Collection[int]) -> np.ndarray:
    places = np.flatnonzero(np.isin(ids, list(ends)))
    return np.arange(len(ids)) <= (places[0] if len(places) else len(ids))
