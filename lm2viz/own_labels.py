"""Facts of one's own about stories that were read: a table to fill in, and the check of what comes back."""

from collections.abc import Sequence

import pandas as pd
from pandas.api.types import is_integer_dtype

from lm2viz.rows import LABEL_COLUMNS

MAX_FACTS, MAX_VALUES = 12, 20  # of a table, and of one fact: each more takes a probe seconds longer


def label_template(stories: Sequence[Sequence[str]]) -> pd.DataFrame:
    """One row a sentence: story, segment, the sentence, and empty columns for a fact and its value."""
    return pd.DataFrame(
        [(b, s, text, "", "") for b, sentences in enumerate(stories) for s, text in enumerate(sentences)],
        columns=["story", "segment", "sentence", "fact", "value"],
    )


def checked_labels(labels: pd.DataFrame, n_segments: Sequence[int]) -> pd.DataFrame:
    """The filled rows of a table of ``read_labels``: those with a fact and a value.

    n_segments : of each story

    Raises
    ------
    ValueError
        In one line, saying what was got and what is allowed.
    """
    filled = labels[list(LABEL_COLUMNS)].dropna(subset=["fact", "value"])
    if filled.empty:
        raise ValueError("no row has both a fact and a value; fill in these columns where you know them")
    if not all(is_integer_dtype(filled[column]) for column in ("story", "segment")):
        raise ValueError("story and segment must be whole numbers from 0 in every row; keep the template's")
    _check_places(filled, n_segments)
    again = filled[filled.duplicated(["story", "segment", "fact"])]
    if len(again):
        row = again.iloc[0]
        raise ValueError(
            f"story {row['story']}, segment {row['segment']} has {row['fact']!r} twice; give one value each"
        )
    _check_sizes(filled)
    return filled.reset_index(drop=True)


def _check_places(filled: pd.DataFrame, n_segments: Sequence[int]) -> None:
    for story, segment in filled[["story", "segment"]].itertuples(index=False):
        if not 0 <= story < len(n_segments):
            raise ValueError(
                f"no story {story} was read, only 0 to {len(n_segments) - 1}; read more, or leave it out"
            )
        if not 0 <= segment < n_segments[story]:
            raise ValueError(
                f"story {story} has no segment {segment}, only 0 to {n_segments[story] - 1}; "
                "keep the template's"
            )


def _check_sizes(filled: pd.DataFrame) -> None:
    n_values = filled.groupby("fact")["value"].nunique()
    if len(n_values) > MAX_FACTS:
        raise ValueError(f"{len(n_values)} facts; at most {MAX_FACTS} are probed at once; leave some out")
    if n_values.max() > MAX_VALUES:
        raise ValueError(
            f"{n_values.idxmax()!r} has {n_values.max()} values; at most {MAX_VALUES} are told apart; "
            "give fewer"
        )
