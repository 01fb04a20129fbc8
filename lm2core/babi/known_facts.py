"""Known facts: what follows from the sentences of a story so far, and since which sentence.

The world facts of a story (``Story.states``) include hidden ones, such as where people were before the first
sentence. No memory can hold those, so no probe should look for them.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from lm2core.babi.animals import FEARS, HAS_COLOUR, IS_A
from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import OPPOSITE
from lm2core.babi.motives import GOALS
from lm2core.babi.sentences import parse
from lm2core.babi.sizes import BIGGER, BOXES, FITS, SMALL
from lm2core.babi.story import Statement
from lm2core.babi.times import SLOTS
from lm2core.errors import UserError


class KnownFact(NamedTuple):
    """A fact's value, and the index of the sentence from which on it is known."""

    value: str
    since: int


KnownFacts = Mapping[str, KnownFact]  # "place of Mary" -> ("kitchen", 2)


def known_facts(history: Sequence[Statement]) -> list[KnownFacts]:
    """The facts known after each statement, whatever the task.

    ``place of X`` for people and things; ``holder of X`` while somebody holds it; ``north of X`` and so on;
    ``animal of X`` and ``colour of X``; ``fear of X`` of an animal and of everyone who is one; ``motive of
    X``; ``bigger of X and Y``, also where it follows from several sentences. A move with a time gives ``place
    of X yesterday`` and says nothing about where X is now.
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
    """``known_facts`` of a story given as sentences; None if a sentence fits no task."""
    try:
        return known_facts(parse(sentences))
    except UserError:
        return None


def _stated_facts(statement: Statement, i: int, known: KnownFacts) -> dict[str, KnownFact]:
    """The facts a statement states or implies: a held thing is where its holder is."""
    subject, target = statement.subject, statement.target
    if statement.relation in (IS_A, FEARS, HAS_COLOUR):
        return _traits(statement, i, known)
    if statement.relation in (FITS, BIGGER):
        small, big = (subject, target) if statement.relation == FITS else (target, subject)
        return _sizes(small, big, i, known)
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


def _traits(statement: Statement, i: int, known: KnownFacts) -> dict[str, KnownFact]:
    """What somebody is, looks like, wants or fears; everyone fears what their kind of animal fears."""
    subject, target = statement.subject, statement.target
    if statement.relation == HAS_COLOUR:  # motives are told with the same verb
        return {f"{'motive' if target in GOALS else 'colour'} of {subject}": KnownFact(target, i)}
    if statement.relation == IS_A:
        fear = known.get(f"fear of {target}")
        shared = {f"fear of {subject}": KnownFact(fear.value, i)} if fear else {}
        return {f"animal of {subject}": KnownFact(target, i)} | shared
    animal = "animal of "
    alike = [
        fact.removeprefix(animal)
        for fact, kind in known.items()
        if fact.startswith(animal) and kind.value == subject
    ]
    return {f"fear of {x}": KnownFact(target, i) for x in (subject, *alike)}


def _sizes(small: str, big: str, i: int, known: KnownFacts) -> dict[str, KnownFact]:
    """That ``big`` is bigger, and what follows with what is known to be smaller or bigger than these."""
    things = (*SMALL, *BOXES)

    def bigger(x: str, y: str) -> str:
        fact = known.get(_pair_of(x, y))
        return fact.value if fact else ""

    below = [small, *(x for x in things if x != small and bigger(x, small) == small)]
    above = [big, *(x for x in things if x != big and bigger(x, big) == x)]
    pairs = {_pair_of(x, y): y for x in below for y in above if not bigger(x, y)}
    return {fact: KnownFact(value, i) for fact, value in pairs.items()}


def _pair_of(x: str, y: str) -> str:
    first, second = sorted((x, y))
    return f"bigger of {first} and {second}"


def _no_longer_known(statement: Statement, known: KnownFacts) -> list[str]:
    """Facts that are uncertain after a statement."""
    if statement.relation == "drop":  # a user's story may drop what nobody took, so it may be missing
        return [f"holder of {statement.target}"]
    # A move with a time may have happened before or after a move stated without one.
    if statement.relation in (NOT_IN, EITHER) or _slot(statement):
        return [f"place of {x}" for x in (statement.subject, *_held_by([statement.subject], known))]
    return []


def _held_by(people: Sequence[str], known: KnownFacts) -> list[str]:
    """The things these people are known to hold."""
    holder = "holder of "
    return [
        fact.removeprefix(holder)
        for fact, held in known.items()
        if fact.startswith(holder) and held.value in people
    ]


def _slot(statement: Statement) -> str:
    """The time of a move, or "": ``other`` of a move is a time or a second person."""
    other = statement.other.lower()
    return other if statement.relation == "move" and other in SLOTS else ""


def known_place(question: str, facts: KnownFacts) -> str | None:
    """The answer to "Where is X?" that follows from known facts; None if unknown, or for another question."""
    match = re.fullmatch(r"Where is (?:the )?(\w+)\?", question.strip())
    place = facts.get(f"place of {match[1]}") if match else None
    return place.value if place else None


def last_mentioned(sentences: Sequence[str], labels: set[str]) -> str | None:
    """The one of ``labels`` that occurs last, or None: a baseline that needs no model."""
    words = " ".join(sentences).lower().replace(".", " ").split()
    return next((word for word in reversed(words) if word in labels), None)
