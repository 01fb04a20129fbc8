"""The simulated world of bAbI: who is where, who holds what, after every sentence.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. The action rules (actor, class and
arguments drawn uniformly, the whole draw rejected until it is possible) give the action mix of the published
files; tests/lm2core/test_babi.py holds the comparison.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

ACTORS = ("Mary", "Sandra", "John", "Daniel")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
OBJECTS = ("apple", "football", "milk")

VERBS = MappingProxyType(
    {
        "move": ("went to", "went back to", "journeyed to", "travelled to", "moved to"),
        "get": ("picked up", "got", "grabbed", "took"),
        "drop": ("dropped", "left", "discarded", "put down"),
    }
)


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that happened: ``actor`` did ``action`` to ``target``, a place for a move, else an object."""

    actor: str
    action: str
    target: str


@dataclass(frozen=True, slots=True)
class WorldState:
    """The whole truth after a sentence, hidden things included.

    place_of : every actor and object to its place (an object that is held is where its holder is)
    holder_of : every object to the actor who holds it, or None
    """

    place_of: dict[str, str]
    holder_of: dict[str, str | None]


@dataclass
class World:
    """A world that draws its own next action. Starts hidden and uniform, as the published stories do."""

    rng: Random
    place_of: dict[str, str] = field(init=False)
    holder_of: dict[str, str | None] = field(init=False)

    def __post_init__(self) -> None:
        """Put everybody and everything somewhere; nobody holds anything."""
        self.place_of = {name: self.rng.choice(PLACES) for name in ACTORS + OBJECTS}
        self.holder_of = dict.fromkeys(OBJECTS)

    def snapshot(self) -> WorldState:
        """The state now, as a value that later actions do not change."""
        places = {name: self.place_of[self.holder_of.get(name) or name] for name in ACTORS + OBJECTS}
        return WorldState(places, dict(self.holder_of))

    def act(self, actions: Sequence[str]) -> Statement:
        """Draw actions among the classes ``actions`` until one is possible, do it and return it."""
        while True:
            statement = self._draw(self.rng.choice(ACTORS), self.rng.choice(actions))
            if statement is not None:
                self.apply(statement)
                return statement

    def apply(self, statement: Statement) -> None:
        """Change the world as ``statement`` says."""
        actor, target = statement.actor, statement.target
        if statement.action == "move":
            self.place_of[actor] = target
        elif statement.action == "get":
            self.holder_of[target] = actor
        else:
            self.holder_of[target] = None
            self.place_of[target] = self.place_of[actor]

    def _draw(self, actor: str, action: str) -> Statement | None:
        if action == "move":
            place = self.rng.choice(PLACES)
            return None if place == self.place_of[actor] else Statement(actor, "move", place)
        if action == "get":
            here = self.place_of[actor]
            things = [o for o in OBJECTS if self.holder_of[o] is None and self.place_of[o] == here]
        else:
            things = [o for o in OBJECTS if self.holder_of[o] == actor]
        return Statement(actor, action, self.rng.choice(things)) if things else None
