"""How well does a bag of words do? Logistic regression on word counts, on any data set.

    python benchmarks/bag_of_words.py [SOURCE ...]        (default: builtin:reviews)

What a sequence model reaches beyond this comes from the order of the words.
"""

import sys

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from kerasllm.console import print_table
from kerasllm.data import DataConfig, load_dataset


def accuracy(source: str, longest: int) -> float:
    """Test accuracy with n-grams of 1 to `longest` words, the penalty chosen on validation."""
    splits = load_dataset(DataConfig(source=source)).splits
    models = []
    for strength in (0.1, 1.0, 10.0):
        counts = CountVectorizer(ngram_range=(1, longest), token_pattern=r"[^\W\d_]+|[^\w\s]")
        model = make_pipeline(counts, LogisticRegression(C=strength, max_iter=1000))
        model.fit(splits["train"].texts, splits["train"].labels)
        models.append((model.score(splits["validation"].texts, splits["validation"].labels), -strength, model))
    _, _, best = max(models, key=lambda entry: entry[:2])
    return best.score(splits["test"].texts, splits["test"].labels)


def main() -> None:
    sources = sys.argv[1:] or ["builtin:reviews"]
    rows = [(source, *(f"{100 * accuracy(source, longest):.1f} %" for longest in (1, 2))) for source in sources]
    print_table("Test accuracy of logistic regression", ["source", "1-grams", "1-2-grams"], rows)


if __name__ == "__main__":
    main()
