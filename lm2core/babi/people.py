"""Tasks 1, 2, 3, 5, 6, 7 and 8: where people and things are or were, and who holds, gives or receives what.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. The question rules hold without
exception on the published files.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from types import MappingProxyType

from lm2core.babi.story import Ask, Line, Question, Statement, last_index, yes_or_no
from lm2core.babi.world import GIVERS, Acting, Cast, World

_HANDLING = ("move", "get", "drop")
_GIVING = (*_HANDLING, "give", "give", "give", "give")  # fitted to the share of gives
ACTING: MappingProxyType[str, Acting] = MappingProxyType(
    {
        "qa1": Acting(("move",)),
        "qa2": Acting(_HANDLING),
        "qa3": Acting(_HANDLING, got_there=0.19),
        "qa5": Acting(_GIVING, GIVERS),
        "qa6": Acting(_HANDLING),
        "qa7": Acting(_GIVING),
        "qa8": Acting(_HANDLING),
    }
)
_NUMBERS = ("none", "one", "two", "three")


def story_maker(acting: Acting) -> Callable[[Random], Iterator[Sequence[Line]]]:
    """Draw endless stories of people who act like that, in blocks of two sentences."""

    def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
        world = World(rng, acting)
        while True:
            yield [world.next_line(), world.next_line()]

    return draw_lines


def ask_person_place(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa1: where is the actor of statement ``i``?"""
    actor = history[i].subject
    move = _last_move(history, len(history), actor)
    if move is None:
        return None
    return Question(f"Where is {actor}?", history[move].target, (move,), len(history))


def ask_object_place(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa2: where is the object of statement ``i``? Only if its holder has moved since, or it was dropped."""
    handled = _last_handled(history, i)
    if handled is None:
        return None
    is_held = history[handled].relation == "get"
    until = len(history) if is_held else handled
    move = _last_move(history, until, history[handled].subject)
    if move is None or (is_held and move < handled):
        return None
    text = f"Where is the {history[i].target}?"
    return Question(text, history[move].target, (handled, move), len(history))


def ask_object_place_before(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """qa3: where was the object of statement ``i`` before a place its holder carried it to?"""
    handled = _last_handled(history, i)
    if handled is None:
        return None
    last, is_held = history[handled], history[handled].relation == "get"
    got = handled if is_held else last_index(history, handled, lambda s: s.target == last.target)
    if got is None:
        return None
    end = len(history) if is_held else handled
    moves = [j for j in range(got, end) if _is_move(history[j], last.subject)]
    visits = {history[j].target: (j, earlier) for earlier, j in pairwise(moves)}
    if not visits:
        return None
    place = rng.choice(sorted(visits))
    visit, earlier = visits[place]
    text = f"Where was the {last.target} before the {place}?"
    return Question(text, history[earlier].target, (handled, visit, earlier), len(history))


def ask_gift(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """qa5: who gave what to whom, about the object of statement ``i``, a give? Its latest give counts."""
    if history[i].relation != "give":
        return None
    thing = history[i].target
    gave = last_index(history, len(history), lambda s: s.relation == "give" and s.target == thing)
    assert gave is not None
    giver, receiver = history[gave].subject, history[gave].other
    what = (f"What did {giver} give to {receiver}?", thing)
    text, answer = rng.choice(
        (
            what,
            what,  # twice as often as the others in the published files
            (f"Who gave the {thing}?", giver),
            (f"Who gave the {thing} to {receiver}?", giver),
            (f"Who received the {thing}?", receiver),
            (f"Who did {giver} give the {thing} to?", receiver),
        )
    )
    return Question(text, answer, (gave,), len(history))


def whether_place_asker(cast: Cast) -> Ask:
    """qa6: is the actor of statement ``i``, a move, in one of the places of the ``cast``?"""

    def ask(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
        if history[i].relation != "move":
            return None
        actor = history[i].subject
        move = _last_move(history, len(history), actor)
        assert move is not None
        named = yes_or_no(rng, history[move].target, cast.places)
        answer = "yes" if named == history[move].target else "no"
        return Question(f"Is {actor} in the {named}?", answer, (move,), len(history))

    return ask


def ask_count(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa7: how many objects is the actor of statement ``i``, a get, drop or give, carrying?"""
    if history[i].relation == "move":
        return None
    actor = history[i].subject
    lines_of = _lines_about_things_of(history, actor)
    n_held = sum(_holds_after(history[lines[-1]], actor) for lines in lines_of.values())
    support = tuple(sorted(j for lines in lines_of.values() for j in lines))
    return Question(f"How many objects is {actor} carrying?", _NUMBERS[n_held], support, len(history))


def ask_list(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa8: what is the actor of statement ``i`` carrying? In the order of first handling."""
    if history[i].relation == "move":
        return None
    actor = history[i].subject
    lines_of = _lines_about_things_of(history, actor)
    held = [thing for thing, lines in lines_of.items() if _holds_after(history[lines[-1]], actor)]
    support = tuple(j for lines in lines_of.values() for j in lines)
    return Question(f"What is {actor} carrying?", ",".join(held) or "nothing", support, len(history))


def _is_move(statement: Statement, actor: str) -> bool:
    return statement.relation == "move" and statement.subject == actor


def _last_move(history: Sequence[Statement], before: int, actor: str) -> int | None:
    return last_index(history, before, lambda s: _is_move(s, actor))


def _last_handled(history: Sequence[Statement], i: int) -> int | None:
    """The last get or drop of the object of statement ``i``; None if that statement is a move."""
    if history[i].relation == "move":
        return None
    return last_index(history, len(history), lambda s: s.target == history[i].target)


def _lines_about_things_of(history: Sequence[Statement], actor: str) -> dict[str, list[int]]:
    """Each object the actor has handled, in order of first handling -> all lines about actor and object."""
    lines_of: dict[str, list[int]] = {}
    for j, statement in enumerate(history):
        if statement.relation != "move" and actor in (statement.subject, statement.other):
            lines_of.setdefault(statement.target, []).append(j)
    return lines_of


def _holds_after(statement: Statement, actor: str) -> bool:
    """Whether the actor holds the object, given the last statement about both."""
    return statement.relation == "get" or statement.other == actor
