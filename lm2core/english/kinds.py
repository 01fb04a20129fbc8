"""The kinds of English stories: who acts how, and what is asked, by the worlds and rules of lm2core.babi."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from types import MappingProxyType

from lm2core.babi import people
from lm2core.babi.edits import KINDS as EDITS
from lm2core.babi.setting import Setting
from lm2core.babi.story import Ask, Question, Statement, Task, last_index
from lm2core.babi.world import Acting, Cast
from lm2core.english.questions import form_of
from lm2core.errors import UserError

N_THINGS = 3  # in a story
_HANDLING = ("move", "get", "drop")
_OF_THINGS = ("person", "support", "placebo")  # who gave or holds what does not depend on places


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of stories.

    about : what its questions need, for help texts
    actions : classes of actions, as in lm2core.babi.world.Acting
    asker : the rule that draws questions about a cast
    edits : the kinds of counterfactual edits that it allows (lm2core.babi.edits.KINDS)
    n_people, n_places : in a story; where people give, so few that they often meet
    """

    about: str
    actions: tuple[str, ...]
    asker: Callable[[Cast], Ask]
    edits: tuple[str, ...]
    n_people: int = 4
    n_places: int = 6


def ask_holder(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """Who has the thing of statement ``i``? Only while somebody has it."""
    if history[i].relation == "move":
        return None
    thing = history[i].target
    last = last_index(history, len(history), lambda s: s.target == thing)
    assert last is not None
    if history[last].relation == "drop":
        return None
    holder = history[last].other or history[last].subject
    return Question(f"Who has the {thing}?", holder, (last,), len(history))


def ask_thing(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """Where is the thing of statement ``i``, from two facts, or who has it?"""
    # The first is the one that takes two facts, so it is asked twice as often.
    ask = rng.choice((people.ask_object_place, people.ask_object_place, ask_holder))
    return ask(history, i, rng)


def ask_gift(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """Who gave what to whom? Two of the three are named, and the latest give that fits them counts."""
    question = people.ask_gift(history, i, rng)
    if question is None or form_of(question.text) is None:  # names one of the three only
        return None
    (support,) = question.support
    give = history[support]
    later = history[support + 1 :]
    is_latest = not any(s.relation == "give" and _pair(s) == _pair(give) for s in later)
    return question if is_latest else None


def ask_count(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """How many things does the actor of statement ``i`` have? Small numbers, which are common, less often."""
    question = people.ask_count(history, i, rng)
    if question is None or (question.answer in ("none", "one") and rng.random() < 0.5):
        return None
    return question


def _pair(give: Statement) -> tuple[str, str]:
    return give.subject, give.other


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "one-fact": Kind(
            about="where a person is",
            actions=("move",),
            asker=lambda _: people.ask_person_place,
            edits=tuple(EDITS),
        ),
        "two-facts": Kind(
            about="where a thing is, which follows from who has or had it; sometimes who has it",
            actions=_HANDLING,
            asker=lambda _: ask_thing,
            edits=tuple(EDITS),
        ),
        "gifts": Kind(
            about="who gave what to whom",
            actions=(*_HANDLING, "give", "give", "give", "give"),
            asker=lambda _: ask_gift,
            edits=_OF_THINGS,
            n_places=3,
        ),
        "yes-no": Kind(
            about="whether a person is in a place",
            actions=_HANDLING,
            asker=people.whether_place_asker,
            edits=tuple(EDITS),
        ),
        "counting": Kind(
            about="how many things a person has, zero to three",
            actions=("move", "get", "get", "get", "get", "drop", "give", "give"),
            asker=lambda _: ask_count,
            edits=_OF_THINGS,
            n_people=3,
            n_places=2,
        ),
    }
)


def get_kind(name: str) -> Kind:
    """The kind called ``name``; a UserError lists the known ones if there is none."""
    if name not in KINDS:
        raise UserError(f"unknown kind {name!r} of stories; known: {', '.join(KINDS)}")
    return KINDS[name]


def setting_with(name: str, cast: Cast) -> Setting:
    """The world and the questions of a kind with these people, places and things."""
    kind = get_kind(name)
    acting = Acting(kind.actions, cast)
    # A question may be about any statement so far, however old.
    task = Task(draw=people.story_maker(acting), ask=kind.asker(cast), ages=None)
    return Setting(name=name, task=task, cast=cast, acting=acting)
