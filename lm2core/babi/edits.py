"""Minimal edits of a story that keep the number of words in every sentence.

Most of them are impossible or change nothing: replay.py finds out, and counterfactual.py picks the others.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, combinations, islice
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from lm2core.babi.setting import Setting
from lm2core.babi.story import Statement
from lm2core.babi.world import Cast

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "place": "one place is replaced by another",
        "person": "one person is replaced by another",
        "order": "two sentences about the same person or thing are swapped; in task 4, the ends of the row",
        "support": "a supporting sentence is replaced by one that is irrelevant to the question",
        "placebo": "control: a place or person is replaced where that is irrelevant to the question",
    }
)
_N_DONORS = 60  # sentences of another story that may replace a supporting one


class StorySentence(NamedTuple):
    """A sentence of a story with its statement."""

    statement: Statement
    sentence: str


Edit = dict[int, StorySentence]  # index of a sentence -> its replacement


def edits(
    setting: Setting, kind: str, lines: Sequence[StorySentence], support: Sequence[int], rng: Random
) -> Iterator[Edit]:
    """All edits of one of the ``KINDS``; ``support`` holds the indices of the supporting sentences."""
    cast = setting.cast
    if kind in ("place", "placebo"):
        yield from _other_words(lines, cast.places)
    if kind in ("person", "placebo"):
        yield from _other_words(lines, cast.actors)
    if kind == "support":
        yield from _other_sentences(setting, lines, support, rng)
    if kind == "order":
        yield from _swapped_ends(lines) if setting.name == "qa4" else _swapped_sentences(cast, lines)


def names_in(cast: Cast, lines: Iterable[StorySentence], text: str = "") -> set[str]:
    """The people and things named in the lines and in ``text``."""
    words = re.findall(r"\w+", " ".join([text, *(line.sentence for line in lines)]))
    return {*cast.actors, *cast.things} & {*words}


def _other_words(lines: Sequence[StorySentence], words: Sequence[str]) -> Iterator[Edit]:
    for i, line in enumerate(lines):
        for part in ("subject", "target", "other"):
            old = getattr(line.statement, part)
            if old in words:
                yield from ({i: _with(line, part, new)} for new in words if new != old)


def _with(line: StorySentence, part: str, new: str) -> StorySentence:
    """The same line with one word replaced."""
    # In "either in the park or the park" the first one changes: the order of the two places means nothing.
    sentence = line.sentence.replace(getattr(line.statement, part), new, 1)
    return StorySentence(replace(line.statement, **{part: new}), sentence)


def _other_sentences(
    setting: Setting, lines: Sequence[StorySentence], support: Sequence[int], rng: Random
) -> Iterator[Edit]:
    for donor in islice(chain.from_iterable(setting.task.draw(rng)), _N_DONORS):
        line = StorySentence(donor.statement, donor.sentence)
        yield from ({i: line} for i in support if _n_words(line) == _n_words(lines[i]))


def _swapped_sentences(cast: Cast, lines: Sequence[StorySentence]) -> Iterator[Edit]:
    names = [names_in(cast, [line]) for line in lines]
    for i, j in combinations(range(len(lines)), 2):
        if names[i] & names[j] and _n_words(lines[i]) == _n_words(lines[j]):
            yield {i: lines[j], j: lines[i]}


def _swapped_ends(lines: Sequence[StorySentence]) -> Iterator[Edit]:
    pairs = [{line.statement.subject, line.statement.target} for line in lines]
    ends = [(pairs[0] - pairs[1]).pop(), (pairs[1] - pairs[0]).pop()]
    parts = ["subject" if line.statement.subject in ends else "target" for line in lines]
    yield {i: _with(lines[i], parts[i], ends[1 - i]) for i in range(2)}


def _n_words(line: StorySentence) -> int:
    return len(line.sentence.split())
