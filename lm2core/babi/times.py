"""Task 14: where people were at four times of two days, in shuffled order.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Sentences come in blocks, as there:
every block has as many pairs as a question needs, and its sentences are not in the order of events.
"""

from collections.abc import Iterator, Sequence
from random import Random

from lm2core.babi.story import Facts, Line, Question, Statement, choose_other
from lm2core.babi.world import TOWN, VERBS

SLOTS = ("yesterday", "this morning", "this afternoon", "this evening")
# Sentence ages of the five latest events, one of which is asked about: pairs are reversed, so the fifth is
# the sixth sentence from the end.
AGES = (0, 1, 2, 3, 5)
_N_HAPPENED = len(AGES)


def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
    """Draw blocks that end as soon as a question is possible, until everybody's evening is stated."""
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
    """Where was the actor of statement ``i`` before its place? The latest visit there counts.

    None where the time before is not stated yet.
    """
    actor, place = history[i].subject, history[i].target
    if history[i].other == SLOTS[0]:
        return None
    line_of = {s.other: j for j, s in enumerate(history) if s.subject == actor}
    there = max(SLOTS.index(slot) for slot, j in line_of.items() if history[j].target == place)
    if there == 0 or SLOTS[there - 1] not in line_of:
        return None
    support = (line_of[SLOTS[there]], line_of[SLOTS[there - 1]])
    text = f"Where was {actor} before the {place}?"
    return Question(text, history[support[1]].target, support, len(history))


def _next_move(rng: Random, happened: list[Statement]) -> Statement:
    """Append to ``happened`` the next move of somebody whose evening has not come yet."""
    moves = {a: [s for s in happened if s.subject == a] for a in TOWN.actors}
    actor = rng.choice([a for a in TOWN.actors if len(moves[a]) < len(SLOTS)])
    before = moves[actor][-1].target if moves[actor] else ""
    place = choose_other(rng, TOWN.places, than=before)
    happened.append(Statement(actor, "move", place, SLOTS[len(moves[actor])]))
    return happened[-1]


def _reorder(rng: Random, block: list[Statement]) -> None:
    """Shuffle in place by one cycle over all positions (Sattolo 1986): a pair is always reversed."""
    for i in range(len(block) - 1, 0, -1):
        j = rng.randrange(i)
        block[i], block[j] = block[j], block[i]


def _line(rng: Random, statement: Statement, facts: Facts) -> Line:
    """Make the sentence, with the time first or last, and add the fact to ``facts``."""
    actor, place, slot = statement.subject, statement.target, statement.other
    facts[f"place of {actor} {slot}"] = place
    clause = f"{actor} {rng.choice(VERBS['move'])} the {place}"
    sentence = rng.choice((f"{slot.capitalize()} {clause}.", f"{clause} {slot}."))
    return Line(statement, sentence, dict(facts))
