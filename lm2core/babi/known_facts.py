"""What a reader can know of a story's facts: those its sentences told, and since when.

The states of a story hold hidden things too, such as where everybody stood before anything was said. No
memory can hold those, so no probe should look for them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import OPPOSITE
from lm2core.babi.sentences import parse
from lm2core.babi.story import Statement
from lm2core.babi.times import SLOTS
from lm2core.errors import UserError


class KnownFact(NamedTuple):
    """A fact's value, and the index of the sentence since which it is known to hold."""

    value: str
    since: int


KnownFacts = Mapping[str, KnownFact]  # "place of Mary" -> kitchen, since the third sentence


def known_facts(history: Sequence[Statement]) -> list[KnownFacts]:
    """The facts known after each statement: places, holders and sides, whatever else the task tells.

    ``place of X``, for people and things; ``holder of X``, while somebody holds it; ``north of X`` and so on.
    What is told with its time is ``place of X yesterday`` and says nothing about where X is now.
    """
    known: dict[str, KnownFact] = {}
    after_each: list[KnownFacts] = []
    for i, statement in enumerate(history):
        known = known | _stated_facts(statement, i, known)
        for fact in _no_longer_known(statement, known):
            known.pop(fact, None)
        after_each.append(dict(known))
    return after_each


def parse_facts(sentences: Sequence[str]) -> list[KnownFacts] | None:
    """``told_facts`` of a story that somebody wrote; None where a sentence is one of no task."""
    try:
        return known_facts(parse(sentences))
    except UserError:
        return None


def _stated_facts(statement: Statement, i: int, known: KnownFacts) -> dict[str, KnownFact]:
    """What a statement says and what follows from it: things are where their holder is."""
    subject, target = statement.subject, statement.target
    if statement.relation in OPPOSITE:
        opposite = OPPOSITE[statement.relation]
        return {
            f"{statement.relation} {target}": KnownFact(subject, i),
            f"{opposite} {subject}": KnownFact(target, i),
        }
    if slot := _slot(statement):
        return {f"place of {subject} {slot}": KnownFact(target, i)}
    if statement.relation in ("move", "in"):
        people = [subject, statement.other] if statement.other else [subject]
        return {f"place of {x}": KnownFact(target, i) for x in [*people, *_held_by(people, known)]}
    if statement.relation not in ("get", "give"):
        return {}
    update = {f"holder of {target}": KnownFact(statement.other or subject, i)}
    here = known.get(f"place of {subject}")
    if here and f"place of {target}" not in known:
        update[f"place of {target}"] = KnownFact(here.value, i)
    return update


def _no_longer_known(statement: Statement, known: KnownFacts) -> list[str]:
    """Facts that nobody can be sure of any more."""
    if statement.relation == "drop":  # in a story that somebody wrote, perhaps what nobody took
        return [f"holder of {statement.target}"]
    # A move with its time may have been before or after what was told without one.
    if statement.relation in (NOT_IN, EITHER) or _slot(statement):
        return [f"place of {x}" for x in (statement.subject, *_held_by([statement.subject], known))]
    return []


def _held_by(people: Sequence[str], known: KnownFacts) -> list[str]:
    """The things that these people hold."""
    holder = "holder of "
    return [
        fact.removeprefix(holder)
        for fact, update in known.items()
        if fact.startswith(holder) and update.value in people
    ]


def _slot(statement: Statement) -> str:
    """When a move was, if that is told: the other of a move is a time or a second person."""
    other = statement.other.lower()
    return other if statement.relation == "move" and other in SLOTS else ""


def known_place(question: str, facts: KnownFacts) -> str | None:
    """The answer to "Where is X?" by what is told; None for another question, or while nobody knows."""
    match = re.fullmatch(r"Where is (?:the )?(\w+)\?", question.strip())
    update = facts.get(f"place of {match[1]}") if match else None
    return update.value if update else None


def last_mentioned(sentences: Sequence[str], labels: set[str]) -> str | None:
    """The one of ``labels`` that occurs last: what needs no model."""
    words = " ".join(sentences).lower().replace(".", " ").split()
    return next((word for word in reversed(words) if word in labels), None)
