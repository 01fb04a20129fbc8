"""What all bAbI tasks share: a statement, a question, a story, and how the stories of a task go.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. This file knows no task; tasks.py lists
them, and each family has a room of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Statement:
    """What one sentence says: ``subject`` ``relation`` ``target``, as in Mary, get, apple.

    other : receiver of a give, second of two people, second of two possible places, or time of a move
    """

    subject: str
    relation: str
    target: str
    other: str = ""


Facts = dict[str, str]  # "place of Mary" -> "kitchen": the truth, hidden things included, without what is not


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence as it is told: what it says, its words, and the facts that hold after it."""

    statement: Statement
    sentence: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Question:
    """A question after ``n_statements`` statements; ``support`` are indices of those that answer it."""

    text: str
    answer: str
    support: tuple[int, ...]
    n_statements: int


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences with the facts that hold after each, and the questions asked on the way.

    gap : what a file has between a question mark and the tab after it
    """

    task: str
    sentences: tuple[str, ...]
    statements: tuple[Statement, ...]
    states: tuple[Facts, ...]
    questions: tuple[Question, ...]
    gap: str


Ask = Callable[[Sequence[Statement], int, Random], Question | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """How the stories of a task go.

    tell : draws a story in blocks of lines, without end or until all is told
    ask : a question about one of the statements so far, by its index; None when it allows none
    ages : how many sentences ago a statement may be that is asked about, 0 for the last one; None: any number
    n_asked : questions after each block, if its story allows any
    n_questions : at most, in a story
    gap : see Story
    """

    tell: Callable[[Random], Iterator[Sequence[Line]]]
    ask: Ask
    ages: Sequence[int] | None = range(5)
    questions_per_block: int = 1
    n_questions: int = 5
    gap: str = " "


def last_index(history: Sequence[Statement], before: int, matches: Callable[[Statement], bool]) -> int | None:
    """Index of the last statement among the first ``before`` that ``is_wanted``, or None."""
    return next((i for i in range(before - 1, -1, -1) if matches(history[i])), None)


def choose_other(rng: Random, values: Sequence[str], *, than: str) -> str:
    """One of the ``values``, but not the one given."""
    return rng.choice([value for value in values if value != than])


def yes_or_no(rng: Random, true: str, values: Sequence[str]) -> str:
    """What a yes-no question names: the true value in half of the cases, else one of the others."""
    return true if rng.random() < 0.5 else choose_other(rng, values, than=true)
