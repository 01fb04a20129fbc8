"""The simulated world of bAbI: people who move, get, drop and give, who is where and who holds what.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. The action rules (actor, class and
arguments drawn uniformly, the whole draw rejected until it is possible) give the action mix of the published
files; tests/lm2core/babi compares them.
"""

from dataclasses import dataclass, field
from random import Random
from types import MappingProxyType

from lm2core.babi.story import Facts, Line, Statement

OBJECTS = ("apple", "football", "milk")

VERBS = MappingProxyType(
    {
        "move": ("went to", "went back to", "journeyed to", "travelled to", "moved to"),
        "get": ("picked up", "got", "grabbed", "took"),
        "drop": ("dropped", "left", "discarded", "put down"),
        "give": ("gave", "handed", "passed"),
    }
)
DROPPED_THERE = 0.2  # share of drops that end with " there"


@dataclass(frozen=True, slots=True)
class Cast:
    """The people, places and things of a story."""

    actors: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...] = OBJECTS


HOME = Cast(
    ("Mary", "Sandra", "John", "Daniel"), ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
)
GIVERS = Cast(("Bill", "Fred", "Jeff", "Mary"), HOME.places)
TOWN = Cast(("Bill", "Fred", "Julie", "Mary"), ("bedroom", "cinema", "kitchen", "office", "park", "school"))


@dataclass(frozen=True, slots=True)
class Acting:
    """How people act in a task.

    actions : classes of action, drawn uniformly; one that is listed twice is drawn twice as often
    got_there : share of gets that end with " there"
    """

    actions: tuple[str, ...]
    cast: Cast = HOME
    got_there: float = 1.0


@dataclass
class World:
    """A world that draws its own actions from a random, unstated start, as in the published stories."""

    rng: Random
    acting: Acting
    place_of: dict[str, str] = field(init=False)
    holder_of: dict[str, str] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Put every person and thing in a random place; nobody holds anything."""
        cast = self.acting.cast
        self.place_of = {name: self._place() for name in (*cast.actors, *cast.things)}

    def facts(self) -> Facts:
        """The current world facts; a held thing is where its holder is."""
        places = {f"place of {x}": self.place_of[self.holder_of.get(x, x)] for x in self.place_of}
        return places | {f"holder of {thing}": actor for thing, actor in self.holder_of.items()}

    def next_line(self) -> Line:
        """Draw and perform an action, and make its sentence."""
        statement = self.act()
        return Line(statement, self._sentence(statement), self.facts())

    def act(self) -> Statement:
        """Draw actions until one is possible, then perform and return it."""
        while True:
            actor = self.rng.choice(self.acting.cast.actors)
            statement = self._draw(actor, self.rng.choice(self.acting.actions))
            if statement is not None:
                self.apply(statement)
                return statement

    def apply(self, statement: Statement) -> None:
        """Update the world by ``statement``."""
        actor, target = statement.subject, statement.target
        if statement.relation == "move":
            self.place_of[actor] = target
        elif statement.relation == "drop":
            del self.holder_of[target]
            self.place_of[target] = self.place_of[actor]
        else:
            self.holder_of[target] = statement.other or actor

    def _place(self) -> str:
        return self.rng.choice(self.acting.cast.places)

    def _draw(self, actor: str, action: str) -> Statement | None:
        here, cast = self.place_of[actor], self.acting.cast
        if action == "move":
            place = self._place()
            return None if place == here else Statement(actor, "move", place)
        if action == "get":
            things = [x for x in cast.things if x not in self.holder_of and self.place_of[x] == here]
        else:
            things = [x for x in cast.things if self.holder_of.get(x) == actor]
        if action != "give":
            return Statement(actor, action, self.rng.choice(things)) if things else None
        near = [a for a in cast.actors if a != actor and self.place_of[a] == here]
        if not things or not near:
            return None
        return Statement(actor, "give", self.rng.choice(things), self.rng.choice(near))

    def _sentence(self, statement: Statement) -> str:
        verb = self.rng.choice(VERBS[statement.relation])
        chance = {"get": self.acting.got_there, "drop": DROPPED_THERE}.get(statement.relation, 0.0)
        end = " there" if self.rng.random() < chance else ""
        if statement.relation == "give":
            end = f" to {statement.other}"
        return f"{statement.subject} {verb} the {statement.target}{end}."
