"""Task 18: boxes and what fits in them, asked over a chain of two sentences.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Differs from it: in one published story
of fifty a question does not come about, five more sentences follow, and it has up to nine questions; the
support stands in the order of the story in 33 % there, in 45 % here.
"""

from collections.abc import Iterator, Sequence
from random import Random

from lm2core.babi.story import Line, Question, Statement

SMALL = ("chocolate", "box of chocolates")  # always smaller than the boxes, in this order
BOXES = ("box", "chest", "container", "suitcase")
_BLOCK_SENTENCES = 5  # sentences in a block
FITS, BIGGER = "fits inside", "is bigger than"


def tell(rng: Random) -> Iterator[Sequence[Line]]:
    """Blocks of five sentences without end about any two of the things; the same may be said again."""
    things = (*SMALL, *rng.sample(BOXES, len(BOXES)))
    facts = {f"size of {thing}": str(rank) for rank, thing in enumerate(things, start=1)}
    while True:
        yield [_line(rng, things, facts) for _ in range(_BLOCK_SENTENCES)]


def ask_size(history: Sequence[Statement], _: int, rng: Random) -> Question | None:
    """Compare, for any ``i``, a thing that fits in a middle one with a thing that the middle one fits in."""
    pairs = [_small_and_big(statement) for statement in history]
    middles = [name for name in dict(pairs) if any(big == name for _, big in pairs)]
    if not middles:
        return None
    middle = rng.choice(middles)
    below = [j for j, (_, big) in enumerate(pairs) if big == middle]
    above = [j for j, (small, _) in enumerate(pairs) if small == middle]
    if rng.random() < 0.5:
        answer, support = "yes", (rng.choice(above), below[0])
    else:
        answer, support = "no", (rng.choice(below), above[0])
    first, second = (big if small == middle else small for small, big in (pairs[j] for j in support))
    text = rng.choice((f"Is the {first} bigger than the {second}?", f"Does the {second} fit in the {first}?"))
    return Question(text, answer, support, len(history))


def _line(rng: Random, things: Sequence[str], facts: dict[str, str]) -> Line:
    small, big = sorted(rng.sample(things, 2), key=things.index)
    statement = Statement(small, FITS, big) if rng.random() < 0.5 else Statement(big, BIGGER, small)
    return Line(statement, f"The {statement.subject} {statement.relation} the {statement.target}.", facts)


def _small_and_big(statement: Statement) -> tuple[str, str]:
    return (
        (statement.subject, statement.target)
        if statement.relation == FITS
        else (statement.target, statement.subject)
    )
