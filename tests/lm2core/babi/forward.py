"""Answers to questions of tasks 1 to 10 by an independent forward pass over the statements.

The rules under test look back from the question, with a known start of the world. These go forward without
any knowledge, and try every place where none was stated.
"""

import re
from collections.abc import Callable, Sequence

from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import COMPASS
from lm2core.babi.story import Statement
from lm2core.babi.world import HOME, OBJECTS, TOWN


class ForwardReading:
    """Places, holders and gifts, as far as the statements give them."""

    def __init__(self, history: Sequence[Statement]) -> None:
        self.last, self.place, self.holder, self.lies = {}, {}, {}, {}
        self.path = {thing: [] for thing in OBJECTS}  # where it was carried to since it was last picked up
        self.handled, self.gift, self.beside = {}, {}, {}
        for x in history:
            self.last[x.subject] = x
            if x.relation == "move":
                self._move(x.subject, x.target)
            elif x.relation in ("get", "drop", "give"):
                self._handle(x)
            elif x.relation in COMPASS:
                self._stand(x)

    def _move(self, person: str, place: str) -> None:
        self.place[person] = place
        for thing in self.held(person):
            self.path[thing].append(place)

    def _handle(self, x: Statement) -> None:
        for person in (x.subject, x.other):
            self.handled.setdefault(person, {})[x.target] = True
        if x.relation == "get":
            self.path[x.target] = []
        if x.relation == "drop":
            del self.holder[x.target]
            self.lies[x.target] = self.place.get(x.subject)
        else:
            self.holder[x.target] = x.other or x.subject
        if x.relation == "give":
            self.gift[x.target] = (x.subject, x.other)

    def _stand(self, x: Statement) -> None:
        for side, (dx, dy) in COMPASS.items():
            if (dx, dy) == COMPASS[x.relation]:
                self.beside[side, x.target] = x.subject
            if (-dx, -dy) == COMPASS[x.relation]:
                self.beside[side, x.subject] = x.target

    def held(self, person: str) -> list[str]:
        """In the order in which the person first had to do with them."""
        return [thing for thing in self.handled.get(person, {}) if self.holder.get(thing) == person]


def _before(story: ForwardReading, thing: str, place: str) -> str:
    path = story.path[thing]
    return path[max(k for k in range(1, len(path)) if path[k] == place) - 1]


def _is_in(story: ForwardReading, person: str, place: str) -> str:
    x = story.last[person]
    if x.relation in ("get", "drop"):  # he did not move since
        return "yes" if story.place[person] == place else "no"
    if x.relation == EITHER:
        return "maybe" if place in (x.target, x.other) else "no"
    return "yes" if x.target == place and x.relation != NOT_IN else "no"


def _only_gift(story: ForwardReading, giver: str, receiver: str) -> str:
    (thing,) = [thing for thing, people in story.gift.items() if people == (giver, receiver)]
    return thing


_SIDE = f"({'|'.join(COMPASS)})"
_RULES: dict[str, Callable[..., str]] = {
    r"Where is the (\w+)\?": lambda s, x: s.place[s.holder[x]] if x in s.holder else s.lies[x],
    r"Where is (\w+)\?": lambda s, x: s.place[x],
    r"Where was the (\w+) before the (\w+)\?": _before,
    r"Is (\w+) in the (\w+)\?": _is_in,
    r"How many objects is (\w+) carrying\?": lambda s, x: ("none", "one", "two", "three")[len(s.held(x))],
    r"What is (\w+) carrying\?": lambda s, x: ",".join(s.held(x)) or "nothing",
    r"What did (\w+) give to (\w+)\?": _only_gift,
    r"Who gave the (\w+)(?: to \w+)?\?": lambda s, x: s.gift[x][0],
    r"Who received the (\w+)\?": lambda s, x: s.gift[x][1],
    r"Who did \w+ give the (\w+) to\?": lambda s, x: s.gift[x][1],
    rf"What is {_SIDE} the (\w+)\?": lambda s, side, x: s.beside[side, x],
    rf"What is the (\w+) {_SIDE}\?": lambda s, x, side: next(
        name for (other, name), there in s.beside.items() if (other, there) == (side, x)
    ),
}


def forward_answer(history: Sequence[Statement], question: str) -> str:
    """The answer to the question after all statements."""
    for pattern, answer in _RULES.items():
        if match := re.fullmatch(pattern, question):
            return answer(ForwardReading(history), *match.groups())
    raise AssertionError(f"no rule for {question!r}")


def can_happen(task: str, history: Sequence[Statement]) -> bool:
    """Whether there is any start from which all this can happen."""
    if task == "qa4":
        return _is_straight_row(history)
    places = (TOWN if task == "qa10" else HOME).places
    worlds: list[dict[str, str]] = [
        {}
    ]  # where people and things are; a thing that is held, at its holder's name
    for x in history:
        step = _goes if task in ("qa9", "qa10") else _acts
        worlds = [after for world in worlds for after in step(world, x, places)]
        worlds = [dict(items) for items in {tuple(sorted(world.items())) for world in worlds}]
    return bool(worlds)


def _goes(world: dict[str, str], x: Statement, places: Sequence[str]) -> list[dict[str, str]]:
    def fits(old: str, new: str) -> bool:
        if x.relation == NOT_IN:
            return old == x.target
        return new in (x.target, x.other)

    olds = [world[x.subject]] if x.subject in world else places
    return [world | {x.subject: new} for old in olds for new in places if new != old and fits(old, new)]


def _acts(world: dict[str, str], x: Statement, places: Sequence[str]) -> list[dict[str, str]]:
    if x.relation == "move":
        return [world | {x.subject: x.target}] if world.get(x.subject) != x.target else []
    after = []
    for here in [world[x.subject]] if x.subject in world else places:
        then = world | {x.subject: here}
        if x.relation == "get" and world.get(x.target, here) == here:
            after.append(then | {x.target: x.subject})
        if x.relation == "drop" and world.get(x.target) == x.subject:
            after.append(then | {x.target: here})
        is_near = x.other != x.subject and world.get(x.other, here) == here
        if x.relation == "give" and world.get(x.target) == x.subject and is_near:
            after.append(then | {x.other: here, x.target: x.other})
    return after


def _is_straight_row(history: Sequence[Statement]) -> bool:
    (first, second), at = history, {}
    for x, known in ((first, first.target), (second, "")):
        dx, dy = COMPASS[x.relation]
        if known:
            at[known] = (0, 0)
        if x.target in at and x.subject not in at:
            at[x.subject] = (at[x.target][0] + dx, at[x.target][1] + dy)
        elif x.subject in at and x.target not in at:
            at[x.target] = (at[x.subject][0] - dx, at[x.subject][1] - dy)
        else:
            return False
    xs, ys = ({point[k] for point in at.values()} for k in (0, 1))
    if len(set(at.values())) != 3 or sorted((len(xs), len(ys))) != [1, 3]:
        return False
    (middle,) = {first.subject, first.target} & {second.subject, second.target}
    return at[middle] == tuple(sorted(at.values())[1])
