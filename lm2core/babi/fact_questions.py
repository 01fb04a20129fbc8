"""Questions about known facts, and the world in which one fact has another value.

The causal model that interchange is scored against: every fact is a variable, and a thing that somebody holds
is where its holder is. So a person's place is also that of what they hold, and a thing with another holder is
where that holder is.
"""

from collections.abc import Mapping

from lm2core.babi.directions import COMPASS, OPPOSITE

__all__ = ["asked_fact", "question_about", "with_fact"]

PLACE, HOLDER = "place of ", "holder of "
World = Mapping[str, str]  # "place of Mary" -> "kitchen": what is known at one moment


def asked_fact(fact: str) -> str:
    """The fact that its question asks for: of a holder, the place of the thing that is held."""
    return PLACE + fact.removeprefix(HOLDER) if fact.startswith(HOLDER) else fact


def question_about(fact: str) -> str | None:
    """The question whose answer is the value of ``fact``; None where no task has one.

    Places and directions only. Nobody asks who holds a thing, so a holder has no question of its own: see
    ``asked_fact``.
    """
    name = fact.removeprefix(PLACE)
    if name != fact and " " not in name:
        return f"Where is {name}?" if name[0].isupper() else f"Where is the {name}?"
    for relation in COMPASS:
        if fact.startswith(f"{relation} "):
            return f"What is {relation} the {fact.removeprefix(f'{relation} ')}?"
    return None


def with_fact(world: World, fact: str, value: str) -> dict[str, str] | None:
    """The world with another value of ``fact`` and what follows from it.

    None where what follows is not known: a thing is given to somebody whose place nobody has stated.
    """
    changed = {**world, fact: value}
    if fact.startswith(PLACE):
        changed |= {PLACE + thing: value for thing in _held_by(fact.removeprefix(PLACE), world)}
    elif fact.startswith(HOLDER):
        if PLACE + value not in world:
            return None
        changed[asked_fact(fact)] = world[PLACE + value]
    else:
        relation = next((name for name in OPPOSITE if fact.startswith(f"{name} ")), None)
        if relation is not None:
            opposite = OPPOSITE[relation]
            changed.pop(f"{opposite} {world[fact]}", None)
            changed[f"{opposite} {value}"] = fact.removeprefix(f"{relation} ")
    return changed


def _held_by(person: str, world: World) -> list[str]:
    return [
        fact.removeprefix(HOLDER)
        for fact, holder in world.items()
        if fact.startswith(HOLDER) and holder == person
    ]
