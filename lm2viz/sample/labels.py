"""Facts of one's own about stories that were read: a table to fill in, and how large it may come back."""

from collections.abc import Sequence

import pandas as pd

from lm2core.errors import UserError

MAX_FACTS, MAX_VALUES = 12, 20  # of a table, and of one fact: each more takes a probe seconds longer


def label_template(stories: Sequence[Sequence[str]]) -> pd.DataFrame:
    """One row a sentence: story, segment, the sentence, and empty columns for a fact and its value."""
    return pd.DataFrame(
        [(b, s, text, "", "") for b, sentences in enumerate(stories) for s, text in enumerate(sentences)],
        columns=["story", "segment", "sentence", "fact", "value"],
    )


def check_size(labels: pd.DataFrame) -> None:
    """Refuse a table of ``read_labels`` that takes too long to probe.

    Raises
    ------
    UserError
        In one line, saying what was got and what is allowed.
    """
    n_values = labels.groupby("fact")["value"].nunique()
    if len(n_values) > MAX_FACTS:
        raise UserError(f"{len(n_values)} facts; at most {MAX_FACTS} are probed at once; omit some")
    if n_values.max() > MAX_VALUES:
        raise UserError(
            f"{n_values.idxmax()!r} has {n_values.max()} values; at most {MAX_VALUES} are supported; "
            "give fewer"
        )
