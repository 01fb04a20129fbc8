"""Tables of results on a page: readable column names, intervals as text."""

from math import isnan

import pandas as pd

from lm2viz.estimates import Estimate

INTERVAL = "95 % interval"


def interval(estimate: Estimate) -> str:
    """The bounds of an estimate, or nothing where it has none."""
    return _bounds(estimate.low, estimate.high)


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table with words for column names, and each pair of bounds as one column of text.

    ``NAME_low`` and ``NAME_high`` belong to NAME, ``low`` and ``high`` to the table's main value.
    """
    shown = {}
    for name in map(str, table):
        if name.endswith("low"):
            of = name.removesuffix("low")
            title = INTERVAL if INTERVAL not in shown else f"{INTERVAL}, {_words(of.removesuffix('_'))}"
            shown[title] = [_bounds(*pair) for pair in zip(table[name], table[f"{of}high"], strict=True)]
        elif not name.endswith("high"):
            shown[_words(name)] = table[name]
    return pd.DataFrame(shown, index=table.index)


def _bounds(low: float, high: float) -> str:
    return "" if isnan(low) or isnan(high) else f"{low:.2f} to {high:.2f}"


def _words(name: str) -> str:
    """A column's name in words: ``n_stories`` is stories, ``is_explained`` is a question, explained?"""
    words = name.removeprefix("n_").removeprefix("is_").replace("_", " ")
    return f"{words}?" if name.startswith("is_") else words
