"""bAbI tasks qa1, qa2 and qa3: what may be asked after a list of statements, the answer and its support.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. The question rules hold without
exception on the published files; tests/lm2core/test_babi.py answers every one of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from types import MappingProxyType

from lm2core.babi.world import VERBS, Statement, World, WorldState

WINDOW = 5  # statements: what happened longer ago is not asked about
QUESTIONS_PER_STORY = 5


@dataclass(frozen=True, slots=True)
class Question:
    """A question after ``n_statements`` statements; ``support`` are indices of those that answer it."""

    text: str
    answer: str
    support: tuple[int, ...]
    n_statements: int


@dataclass(frozen=True, slots=True)
class Story:
    """Sentences with the state of the world after each, and the questions asked on the way."""

    task: str
    sentences: tuple[str, ...]
    statements: tuple[Statement, ...]
    states: tuple[WorldState, ...]
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """How a task's world acts and what it asks. ``there`` is how often " there" follows a get or a drop."""

    actions: tuple[str, ...]
    ask: Callable[[Sequence[Statement], int, Random], Question | None]
    there: MappingProxyType[str, float]


def last_index(history: Sequence[Statement], before: int, **wanted: object) -> int | None:
    """Index of the last statement among the first ``before`` that has the ``wanted`` fields, or None."""
    for i in range(before - 1, -1, -1):
        if all(
            value(getattr(history[i], name)) if callable(value) else getattr(history[i], name) == value
            for name, value in wanted.items()
        ):
            return i
    return None


def ask_person_place(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa1: where is the actor of statement ``i``?"""
    move = last_index(history, len(history), actor=history[i].actor, action="move")
    if move is None:
        return None
    text = f"Where is {history[i].actor}?"
    return Question(text, history[move].target, (move,), len(history))


def ask_object_place(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa2: where is the object of statement ``i``? Its holder has moved since, or it was dropped."""
    handled = _last_handled(history, i)
    if handled is None:
        return None
    is_held = history[handled].action == "get"
    until = len(history) if is_held else handled
    move = last_index(history, until, actor=history[handled].actor, action="move")
    if move is None or (is_held and move < handled):
        return None
    text = f"Where is the {history[i].target}?"
    return Question(text, history[move].target, (handled, move), len(history))


def ask_object_place_before(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """qa3: where was the object of statement ``i`` before a place its holder carried it to?"""
    handled = _last_handled(history, i)
    if handled is None:
        return None
    last, is_held = history[handled], history[handled].action == "get"
    got = handled if is_held else last_index(history, handled, action="get", target=last.target)
    if got is None:
        return None
    end = len(history) if is_held else handled
    moves = [j for j in range(got, end) if history[j].actor == last.actor and history[j].action == "move"]
    visits = {history[j].target: (j, earlier) for earlier, j in pairwise(moves)}
    if not visits:
        return None
    place = rng.choice(sorted(visits))
    visit, earlier = visits[place]
    text = f"Where was the {last.target} before the {place}?"
    return Question(text, history[earlier].target, (handled, visit, earlier), len(history))


def _last_handled(history: Sequence[Statement], i: int) -> int | None:
    """The last get or drop of the object that statement ``i`` gets or drops; None when it is a move."""
    if history[i].action == "move":
        return None
    return last_index(history, len(history), target=history[i].target, action=lambda action: action != "move")


_ALL = ("move", "get", "drop")
TASKS: MappingProxyType[str, Task] = MappingProxyType(
    {
        "qa1": Task(("move",), ask_person_place, MappingProxyType({})),
        "qa2": Task(_ALL, ask_object_place, MappingProxyType({"get": 1.0, "drop": 0.2})),
        "qa3": Task(_ALL, ask_object_place_before, MappingProxyType({"get": 0.19, "drop": 0.2})),
    }
)


def get_task(name: str) -> Task:
    """The task called ``name``; ValueError with the known names otherwise."""
    if name not in TASKS:
        raise ValueError(f"unknown task {name!r}; known: {', '.join(TASKS)}")
    return TASKS[name]


def say(statement: Statement, task: Task, rng: Random) -> str:
    """One of the sentences that tell ``statement``."""
    verb = rng.choice(VERBS[statement.action])
    there = " there" if rng.random() < task.there.get(statement.action, 0.0) else ""
    return f"{statement.actor} {verb} the {statement.target}{there}."


def draw_question(
    task: Task, history: Sequence[Statement], rng: Random, *, window: int = WINDOW
) -> Question | None:
    """Pick uniformly one of the last ``window`` statements that allow a question; None when none does."""
    candidates = range(max(0, len(history) - window), len(history))
    asked = [q for i in candidates if (q := task.ask(history, i, rng)) is not None]
    return rng.choice(asked) if asked else None


def make_story(name: str, rng: Random) -> Story:
    """A story as in the published files: statements in pairs, after each a question if one is possible."""
    task, world = get_task(name), World(rng)
    history: list[Statement] = []
    sentences: list[str] = []
    states: list[WorldState] = []
    questions: list[Question] = []
    while len(questions) < QUESTIONS_PER_STORY:
        for _ in range(2):
            history.append(world.act(task.actions))
            sentences.append(say(history[-1], task, rng))
            states.append(world.snapshot())
        question = draw_question(task, history, rng)
        if question is not None:
            questions.append(question)
    return Story(name, tuple(sentences), tuple(history), tuple(states), tuple(questions))
