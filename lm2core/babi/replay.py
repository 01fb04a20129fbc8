"""Replay edited statements: are they a possible story of the task, and what is the answer to a question?

For tasks 1 to 10. Answers come from the task's own question rule.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import OPPOSITE
from lm2core.babi.setting import Setting
from lm2core.babi.story import Question, Statement, Task
from lm2core.babi.world import Cast, World

Script = tuple[int, ...]


def answer_again(task: Task, history: Sequence[Statement], text: str) -> Question | None:
    """The question with this ``text``, asked again after ``history``.

    None if the task does not ask it about any of the statements, or if it has two answers.
    """
    answers: dict[str, Question] = {}
    # A rule depends on what a statement says, not on its position, and asks only about what it names.
    about = {
        statement: i
        for i, statement in enumerate(history)
        if statement.subject in text or statement.target in text
    }
    rng = _Scripted(0)
    for i in about.values():
        scripts: list[Script] = [()]
        while scripts:
            rng.follow(scripts.pop())
            question = task.ask(history, i, rng)
            if question is not None and question.text == text:
                answers[question.answer] = question
            scripts += rng.others()
    return next(iter(answers.values())) if len(answers) == 1 else None


def is_possible(setting: Setting, seed: int, history: Sequence[Statement]) -> bool:
    """Whether all statements can happen in the setting's world, in this order.

    seed : of the generator whose first draws place people and things (used by tasks with things)
    """
    if setting.name == "qa4":
        return _is_row(*history)
    if setting.acting is None:
        return _can_keep_moving(setting.cast, history)
    world = World(Random(seed), setting.acting)
    for statement in history:
        if not _can_act(world, statement):
            return False
        world.apply(statement)
    return True


class _Scripted(Random):
    """Draws the options a script lists, then always the first, and records the alternatives.

    Only ``choice`` and ``random`` are scripted: question rules draw nothing else.
    """

    def follow(self, script: Script) -> None:
        """Follow this script from now on."""
        self._script = script
        self._drawn: list[int] = []
        self._n_options: list[int] = []

    def choice(self, seq: Any) -> Any:
        """The option that the script lists."""
        step = len(self._drawn)
        self._drawn.append(self._script[step] if step < len(self._script) else 0)
        self._n_options.append(len(seq))
        return seq[self._drawn[-1]]

    def random(self) -> float:
        """A value on either side of one half, as a scripted choice."""
        return float(self.choice((0.25, 0.75)))

    def others(self) -> list[Script]:
        """Scripts that differ from the draws made so far in one draw after the end of the script."""
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
        statement.relation if statement.target in middle else OPPOSITE[statement.relation]
        for statement in (first, second)
    ]
    return len(middle) == 1 and len(named[0] | named[1]) == 3 and sides[0] == OPPOSITE[sides[1]]


def _can_act(world: World, statement: Statement) -> bool:
    here, holder = world.place_of[statement.subject], world.holder_of.get(statement.target)
    if statement.relation == "move":
        return statement.target != here
    if statement.relation == "get":
        return holder is None and world.place_of[statement.target] == here
    is_near = statement.other != statement.subject and world.place_of.get(statement.other, here) == here
    return holder == statement.subject and is_near


def _can_keep_moving(cast: Cast, history: Sequence[Statement]) -> bool:
    """Whether people can move to a new place at every sentence about them and satisfy what it states."""
    where = {actor: set(cast.places) for actor in cast.actors}  # all places the actor may be in
    for statement in history:
        before = where[statement.subject]
        if statement.relation == NOT_IN:  # denies the place the actor has just left
            after = set(cast.places) - {statement.target} if statement.target in before else set()
        else:
            named = (
                {statement.target, statement.other} if statement.relation == EITHER else {statement.target}
            )
            after = {place for place in named if before - {place}}
        if not after:
            return False
        where[statement.subject] = after
    return True
