"""`builtin:reviews`: short reviews, positive or negative, written by a seeded grammar. Nothing is downloaded.

A review is an opinion on one of eight kinds of thing, between plain remarks. What makes it more than counting words:

- negation: "not at all good", "anything but dull";
- contrast: "the lobby was lovely, but the bed was awful", where the clause after "but" decides, and
  "the bed was awful, even though the lobby was lovely", where the first one does;
- intensifiers: "really", "rather", and an adjective after them that may be negated;
- distractors: feelings about other things ("my cousin says the traffic was horrible"), which decide nothing;
- slips of the keys ("awflu"), so that some words are unknown.

A bag of words reaches 77.7 % on the test split (86.6 % with pairs of words): `benchmarks/bag_of_words.py`.
"""

from random import Random

import numpy as np

from .dataset import Split, TextDataset

LABELS = ("negative", "positive")
SIZES = {"train": 8_000, "validation": 1_000, "test": 1_000}

_ASPECTS = {
    "film": ("film", "plot", "acting", "ending", "dialogue", "soundtrack", "camera work", "main actor"),
    "hotel": ("hotel", "room", "bed", "breakfast", "pool", "staff", "lobby", "view from the balcony"),
    "phone": ("phone", "battery", "screen", "camera", "speaker", "keyboard", "signal", "fingerprint reader"),
    "restaurant": ("restaurant", "soup", "service", "menu", "dessert", "waiter", "wine list", "terrace"),
    "book": ("book", "story", "first chapter", "translation", "hero", "language", "cover", "last part"),
    "course": ("course", "teacher", "homework", "room", "pace", "exam", "reading list", "group work"),
    "train ride": ("train", "seat", "dining car", "conductor", "timetable", "ticket app", "station", "view"),
    "game": ("game", "level design", "music", "tutorial", "story", "controls", "graphics", "online mode"),
}
_REMARKS = {
    "film": ("We saw it at the late show.", "It runs for two hours.", "I watched it on a plane."),
    "hotel": ("We stayed for three nights.", "It is close to the harbour.", "We arrived after midnight."),
    "phone": ("I have had it for a month.", "It replaced my old one.", "Mine is the blue one."),
    "restaurant": ("We had a table for six.", "We went there on a Tuesday.", "It is next to the museum."),
    "book": ("I read it on the beach.", "It has four hundred pages.", "My copy is second hand."),
    "course": ("It takes ten weeks.", "There were twenty of us.", "I took it in the evening."),
    "train ride": ("It leaves at nine.", "We changed twice.", "I had a window seat."),
    "game": ("I played it over a weekend.", "It comes on two discs.", "I started on the easy setting."),
}
_GOOD = (
    *("good", "great", "lovely", "excellent", "wonderful", "superb", "pleasant", "delightful"),
    *("brilliant", "charming", "impressive", "fantastic", "splendid", "enjoyable", "satisfying", "remarkable"),
)
_BAD = (
    *("bad", "awful", "terrible", "poor", "dull", "dreadful", "horrible", "disappointing"),
    *("annoying", "mediocre", "lousy", "unpleasant", "shabby", "tedious", "frustrating", "pathetic"),
)
_INTENSIFIERS = ("really", "very", "truly", "rather", "quite", "absolutely", "just", "simply", "surprisingly")
_NEGATIONS = ("not", "not at all", "never", "not really", "not even remotely", "far from", "anything but", "hardly")
_LOVED = ("loved", "enjoyed", "liked", "adored", "admired")
_HATED = ("hated", "disliked", "regretted", "loathed", "despised")
_LOVE = ("love", "enjoy", "like", "adore", "admire")
_HATE = ("hate", "dislike", "regret", "loathe", "despise")
_PEOPLE = ("my cousin", "my neighbour", "a colleague", "my brother", "an old friend", "my aunt", "the man beside us")
_OTHERS = ("the weather", "the traffic", "the news", "his job", "her garden", "the football match", "that morning")


def reviews(seed: int = 0) -> TextDataset:
    """Writes the reviews.

    Args:
        seed: Another seed, other reviews of the same kind.

    Returns:
        Splits of 8,000, 1,000 and 1,000 texts, half positive, no text twice.
    """
    random = Random(seed)  # noqa: S311 (nothing secret)
    texts: dict[str, None] = {}  # a set that keeps its order
    while len(texts) < sum(SIZES.values()):
        texts.setdefault(_review(random, positive=len(texts) % 2 == 1))
    written, splits = list(texts), {}
    for name, size in SIZES.items():
        part, written = written[:size], written[size:]
        splits[name] = Split(part, np.arange(size, dtype=np.int64) % 2)
    return TextDataset(name="builtin:reviews", labels=LABELS, multi_label=False, splits=splits)


def _review(random: Random, *, positive: bool) -> str:
    """An opinion between plain remarks and other people's feelings."""
    domain = random.choice(tuple(_ASPECTS))
    sentences = [_opinion(random, domain, positive)]
    if random.random() < 0.5:
        sentences.insert(random.randrange(2), random.choice(_REMARKS[domain]))
    if random.random() < 0.3:
        sentences.insert(random.randrange(len(sentences) + 1), _distractor(random))
    return " ".join(_typed(random, word) for word in " ".join(sentences).split())


def _typed(random: Random, word: str) -> str:
    """The word, or in one of 30 its misspelling: two letters inside it change places."""
    if len(word) < 5 or random.random() > 1 / 30:
        return word
    at = random.randrange(1, len(word) - 3)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _opinion(random: Random, domain: str, positive: bool) -> str:
    """One clause, or two that contradict each other, in which conjunction and order say which one counts."""
    this, other = random.sample(_ASPECTS[domain], 2)
    verdict = _clause(random, this, positive)
    if random.random() < 0.8:
        return _sentence(verdict)
    concession = _clause(random, other, not positive)
    form = random.choice(("{1}, but {0}.", "although {1}, {0}.", "{0}, even though {1}.", "{1}; still, {0}."))
    return _sentence(form.format(verdict, concession).rstrip("."))


def _clause(random: Random, aspect: str, positive: bool) -> str:
    """A statement on one aspect; in one of ten the words say the opposite and a negation turns them round."""
    negated = random.random() < 1 / 10
    good_words = positive != negated
    if random.random() < 0.25:
        if negated:
            return f"I did not {random.choice(_LOVE if good_words else _HATE)} the {aspect}"
        return f"I {random.choice(_LOVED if good_words else _HATED)} the {aspect}"
    words = [random.choice(_GOOD if good_words else _BAD)]
    if random.random() < 0.4:
        words.insert(0, random.choice(_INTENSIFIERS))
    if negated:
        words = [random.choice(_NEGATIONS), words[-1]]
    return f"the {aspect} was {' '.join(words)}"


def _distractor(random: Random) -> str:
    """A feeling about something else, good or bad by chance."""
    person, other = random.choice(_PEOPLE), random.choice(_OTHERS)
    adjective = random.choice(_GOOD + _BAD)
    verb = random.choice(_LOVED + _HATED)
    return _sentence(random.choice((f"{person} says {other} was {adjective}", f"{person} {verb} {other}")))


def _sentence(clause: str) -> str:
    return clause[0].upper() + clause[1:] + "."
