"""Statements that somebody put together, replayed: are they a story of a task, and what does a question find?

For edited stories. Of tasks 1 to 10; the answers are those of the task's own rule.
"""

from collections.abc import Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import OPPOSITE
from lm2core.babi.people import ACTING
from lm2core.babi.story import Question, Statement
from lm2core.babi.tasks import get_task
from lm2core.babi.world import HOME, TOWN, Cast, World

CASTS = MappingProxyType(
    {"qa4": Cast((), HOME.places), "qa9": HOME, "qa10": TOWN}
    | {task: acting.cast for task, acting in ACTING.items()}
)
Script = tuple[int, ...]


def answer_again(task: str, history: Sequence[Statement], text: str) -> Question | None:
    """The question of this ``text`` asked after ``history``.

    None if the task does not ask it, about whichever statement, or if it has two answers to it.
    """
    answers: dict[str, Question] = {}
    # A rule looks at what is said, not where, and asks about nothing that the statement does not name.
    about = {stated: i for i, stated in enumerate(history) if stated.subject in text or stated.target in text}
    rng = _Scripted(0)
    for i in about.values():
        scripts: list[Script] = [()]
        while scripts:
            rng.follow(scripts.pop())
            question = get_task(task).ask(history, i, rng)
            if question is not None and question.text == text:
                answers[question.answer] = question
            scripts += rng.others()
    return next(iter(answers.values())) if len(answers) == 1 else None


def is_possible(task: str, seed: int, history: Sequence[Statement]) -> bool:
    """Whether all this can happen in the task's world, one after the other.

    seed : of the random stream whose first draws put people and things somewhere, unsaid (tasks with things)
    """
    if task == "qa4":
        return _is_row(*history)
    if task not in ACTING:
        return _can_keep_moving(CASTS[task], history)
    world = World(Random(seed), ACTING[task])
    for statement in history:
        if not _can_act(world, statement):
            return False
        world.apply(statement)
    return True


class _Scripted(Random):
    """Draws the options that a script numbers, and after its end always the first; knows what else there was.

    Choices and coins only: rules of questions draw nothing else.
    """

    def follow(self, script: Script) -> None:
        """Draw by this script from now on."""
        self._script = script
        self._drawn: list[int] = []
        self._n_options: list[int] = []

    def choice(self, seq: Any) -> Any:
        """The option that the script says."""
        step = len(self._drawn)
        self._drawn.append(self._script[step] if step < len(self._script) else 0)
        self._n_options.append(len(seq))
        return seq[self._drawn[-1]]

    def random(self) -> float:
        """One side of a coin."""
        return float(self.choice((0.25, 0.75)))

    def others(self) -> list[Script]:
        """Scripts of the draws that part from these after the end of the script."""
        return [
            (*self._drawn[:step], option)
            for step in range(len(self._script), len(self._drawn))
            for option in range(1, self._n_options[step])
        ]


def _is_row(first: Statement, second: Statement) -> bool:
    """Whether two of three places are on opposite sides of the third."""
    named = {first.subject, first.target}, {second.subject, second.target}
    middle = named[0] & named[1]
    sides = [
        stated.relation if stated.target in middle else OPPOSITE[stated.relation]
        for stated in (first, second)
    ]
    return len(middle) == 1 and len(named[0] | named[1]) == 3 and sides[0] == OPPOSITE[sides[1]]


def _can_act(world: World, stated: Statement) -> bool:
    here, holder = world.place_of[stated.subject], world.holder_of.get(stated.target)
    if stated.relation == "move":
        return stated.target != here
    if stated.relation == "get":
        return holder is None and world.place_of[stated.target] == here
    is_near = stated.other != stated.subject and world.place_of.get(stated.other, here) == here
    return holder == stated.subject and is_near


def _can_keep_moving(cast: Cast, history: Sequence[Statement]) -> bool:
    """Whether everybody can go to a new place at every sentence about him, and be where it says."""
    where = {actor: set(cast.places) for actor in cast.actors}  # all the places he may be in
    for stated in history:
        before = where[stated.subject]
        if stated.relation == NOT_IN:  # where he was
            after = set(cast.places) - {stated.target} if stated.target in before else set()
        else:
            named = {stated.target, stated.other} if stated.relation == EITHER else {stated.target}
            after = {place for place in named if before - {place}}
        if not after:
            return False
        where[stated.subject] = after
    return True
