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


class Told(NamedTuple):
    """A fact's value, and the index of the sentence since which it is known to hold."""

    value: str
    since: int


ToldFacts = Mapping[str, Told]  # "place of Mary" -> kitchen, since the third sentence


def told_facts(history: Sequence[Statement]) -> list[ToldFacts]:
    """The facts known after each statement: places, holders and sides, whatever else the task tells.

    ``place of X``, for people and things; ``holder of X``, while somebody holds it; ``north of X`` and so on.
    What is told with its time is ``place of X yesterday`` and says nothing about where X is now.
    """
    known: dict[str, Told] = {}
    after_each: list[ToldFacts] = []
    for i, said in enumerate(history):
        known = known | _told(said, i, known)
        for fact in _left_open(said, known):
            known.pop(fact, None)
        after_each.append(dict(known))
    return after_each


def facts_in(sentences: Sequence[str]) -> list[ToldFacts] | None:
    """``told_facts`` of a story that somebody wrote; None where a sentence is one of no task."""
    try:
        return told_facts(parse(sentences))
    except ValueError:
        return None


def _told(said: Statement, i: int, known: ToldFacts) -> dict[str, Told]:
    """What a statement says and what follows from it: things are where their holder is."""
    subject, target = said.subject, said.target
    if said.relation in OPPOSITE:
        opposite = OPPOSITE[said.relation]
        return {f"{said.relation} {target}": Told(subject, i), f"{opposite} {subject}": Told(target, i)}
    if slot := _slot(said):
        return {f"place of {subject} {slot}": Told(target, i)}
    if said.relation in ("move", "in"):
        people = [subject, said.other] if said.other else [subject]
        return {f"place of {x}": Told(target, i) for x in [*people, *_carried_by(people, known)]}
    if said.relation not in ("get", "give"):
        return {}
    told = {f"holder of {target}": Told(said.other or subject, i)}
    here = known.get(f"place of {subject}")
    if here and f"place of {target}" not in known:
        told[f"place of {target}"] = Told(here.value, i)
    return told


def _left_open(said: Statement, known: ToldFacts) -> list[str]:
    """Facts that nobody can be sure of any more."""
    if said.relation == "drop":  # in a story that somebody wrote, perhaps what nobody took
        return [f"holder of {said.target}"]
    # A move with its time may have been before or after what was told without one.
    if said.relation in (NOT_IN, EITHER) or _slot(said):
        return [f"place of {x}" for x in (said.subject, *_carried_by([said.subject], known))]
    return []


def _carried_by(people: Sequence[str], known: ToldFacts) -> list[str]:
    """The things that these people hold."""
    holder = "holder of "
    return [
        fact.removeprefix(holder)
        for fact, told in known.items()
        if fact.startswith(holder) and told.value in people
    ]


def _slot(said: Statement) -> str:
    """When a move was, if that is told: the other of a move is a time or a second person."""
    other = said.other.lower()
    return other if said.relation == "move" and other in SLOTS else ""


def place_asked_for(question: str, facts: ToldFacts) -> str | None:
    """The answer to "Where is X?" by what is told; None for another question, or while nobody knows."""
    asked = re.fullmatch(r"Where is (?:the )?(\w+)\?", question.strip())
    told = facts.get(f"place of {asked[1]}") if asked else None
    return told.value if told else None


def last_mentioned(sentences: Sequence[str], labels: set[str]) -> str | None:
    """The one of ``labels`` that occurs last: what needs no model."""
    words = " ".join(sentences).lower().replace(".", " ").split()
    return next((word for word in reversed(words) if word in labels), None)
