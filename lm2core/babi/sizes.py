"""Task 18: boxes and what fits in them; a question needs a chain of two sentences.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Differs from it in two ways: one in
fifty published stories has a block without questions, five more sentences and up to nine questions; and the
support is in story order for 33 % of the published questions, but for 45 % of ours.
"""

from collections.abc import Iterator, Sequence
from random import Random

from lm2core.babi.story import Line, Question, Statement

SMALL = ("chocolate", "box of chocolates")  # always smaller than the boxes; the smallest first
BOXES = ("box", "chest", "container", "suitcase")
_SENTENCES_PER_BLOCK = 5
FITS, BIGGER = "fits inside", "is bigger than"


def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
    """Draw endless blocks of sentences, each about any two of the things; sentences may repeat."""
    things = (*SMALL, *rng.sample(BOXES, len(BOXES)))
    facts = {f"size of {thing}": str(rank) for rank, thing in enumerate(things, start=1)}
    while True:
        yield [_line(rng, things, facts) for _ in range(_SENTENCES_PER_BLOCK)]


def ask_size(history: Sequence[Statement], _: int, rng: Random) -> Question | None:
    """Compare a thing that fits in a middle one with one that the middle one fits in; any index."""
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
