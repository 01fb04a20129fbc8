"""What all bAbI tasks share: statements, questions, stories, and how a task generates them.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. This file knows no task; tasks.py lists
them, and each family of tasks has its own module.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class Statement:
    """What one sentence says: ``subject`` ``relation`` ``target``, such as Mary, get, apple.

    other : receiver of a give, second of two people or of two possible places, or time of a move; else ""
    """

    subject: str
    relation: str
    target: str
    other: str = ""


# "place of Mary" -> "kitchen": world facts, including those no sentence has stated. A fact without a value
# (the holder of a thing nobody holds) has no entry.
Facts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One generated sentence: its statement, its words, and the world facts that hold after it."""

    statement: Statement
    sentence: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Question:
    """A question asked after ``n_statements`` statements; ``support`` holds the indices of those it needs."""

    text: str
    answer: str
    support: tuple[int, ...]
    n_statements: int


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences, the world facts that hold after each, and the questions asked along the way.

    gap : what a file puts between a question mark and the tab after it
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
    """How the stories of a task are generated.

    draw : draws a story in blocks of lines, endlessly or until the story is complete
    ask : a question about one of the statements so far, given by index; None if it allows no question
    ages : how many sentences ago the statement asked about may be, 0 for the last one; None for any number
    questions_per_block : questions after each block, if the story allows any
    n_questions : the most questions in a story
    gap : see Story
    """

    draw: Callable[[Random], Iterator[Sequence[Line]]]
    ask: Ask
    ages: Sequence[int] | None = range(5)
    questions_per_block: int = 1
    n_questions: int = 5
    gap: str = " "


def last_index(history: Sequence[Statement], before: int, matches: Callable[[Statement], bool]) -> int | None:
    """Index of the last of the first ``before`` statements that ``matches`` accepts, or None."""
    return next((i for i in range(before - 1, -1, -1) if matches(history[i])), None)


def choose_other(rng: Random, values: Sequence[str], *, than: str) -> str:
    """Draw one of the ``values`` other than ``than``."""
    return rng.choice([value for value in values if value != than])


def yes_or_no(rng: Random, true: str, values: Sequence[str]) -> str:
    """Draw what a yes-no question names: the true value half of the time, else one of the others."""
    return true if rng.random() < 0.5 else choose_other(rng, values, than=true)
