"""Task 14: where people were at four times of two days, told out of order.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. There, sentences are told in blocks:
every block has as many pairs as a question needs and is told in another order than it happened in.
"""

from collections.abc import Iterator, Sequence
from random import Random

from lm2core.babi.story import Facts, Line, Question, Statement, choose_other
from lm2core.babi.world import TOWN, VERBS

SLOTS = ("yesterday", "this morning", "this afternoon", "this evening")
# Ages of the five that happened last, one of which is asked about: the fifth is told sixth, pairs in reverse.
AGES = (0, 1, 2, 3, 5)
_N_HAPPENED = len(AGES)


def tell(rng: Random) -> Iterator[Sequence[Line]]:
    """Blocks that end as soon as a question is possible; no more when everybody's evening has come."""
    happened: list[Statement] = []
    facts: Facts = {}
    block: list[Statement] = []
    while len(happened) < len(SLOTS) * len(TOWN.actors):
        block += [_next_move(rng, happened), _next_move(rng, happened)]
        _reorder(rng, block)
        if any(statement.other != SLOTS[0] for statement in happened[-_N_HAPPENED:]):
            yield [_line(rng, statement, facts) for statement in block]
            block = []


def ask_before(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """Where was the actor of statement ``i`` before its place? The latest time he was there counts."""
    actor, place = history[i].subject, history[i].target
    if history[i].other == SLOTS[0]:
        return None
    line_of = {s.other: j for j, s in enumerate(history) if s.subject == actor}
    there = max(SLOTS.index(slot) for slot, j in line_of.items() if history[j].target == place)
    support = (line_of[SLOTS[there]], line_of[SLOTS[there - 1]])
    text = f"Where was {actor} before the {place}?"
    return Question(text, history[support[1]].target, support, len(history))


def _next_move(rng: Random, happened: list[Statement]) -> Statement:
    """Add to ``happened`` what somebody whose evening has not come yet does next."""
    moves = {a: [s for s in happened if s.subject == a] for a in TOWN.actors}
    actor = rng.choice([a for a in TOWN.actors if len(moves[a]) < len(SLOTS)])
    before = moves[actor][-1].target if moves[actor] else ""
    place = choose_other(rng, TOWN.places, than=before)
    happened.append(Statement(actor, "move", place, SLOTS[len(moves[actor])]))
    return happened[-1]


def _reorder(rng: Random, block: list[Statement]) -> None:
    """Shuffle so that all places trade in one cycle (Sattolo 1986): a pair always turns round."""
    for i in range(len(block) - 1, 0, -1):
        j = rng.randrange(i)
        block[i], block[j] = block[j], block[i]


def _line(rng: Random, statement: Statement, facts: Facts) -> Line:
    """Say it, with the time in front or at the end, and add it to ``facts``."""
    actor, place, slot = statement.subject, statement.target, statement.other
    facts[f"place of {actor} {slot}"] = place
    stated = f"{actor} {rng.choice(VERBS['move'])} the {place}"
    sentence = rng.choice((f"{slot.capitalize()} {stated}.", f"{stated} {slot}."))
    return Line(statement, sentence, dict(facts))
