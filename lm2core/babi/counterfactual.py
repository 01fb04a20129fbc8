"""Counterfactual pairs: a story, a minimal edit of it, and the answers to one question on both sides.

The ground truth for causal claims about a model: what was changed, and what must change with it. The two
sides have the same number of sentences and of words in each, so every token has its counterpart at the same
position. Both sides start from the same hidden world state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from lm2core.babi.edits import KINDS, Edit, StorySentence, edits, names_in
from lm2core.babi.replay import answer_again, is_possible
from lm2core.babi.setting import Setting, setting_of
from lm2core.babi.story import Question
from lm2core.babi.tasks import draw_question, draw_story, get_task
from lm2core.babi.text import TextStory
from lm2core.errors import UserError

__all__ = [
    "KINDS",
    "KINDS_OF",
    "Counterfactual",
    "draw_counterfactual",
    "draw_counterfactuals",
    "draw_pair",
    "sentences_of",
]

_ALL = tuple(KINDS)
_OF_THINGS = ("person", "support", "placebo")  # who gave or holds what does not depend on places
KINDS_OF: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(("qa1", "qa2", "qa3"), _ALL),
        "qa4": ("place", "order", "placebo"),
        "qa5": _OF_THINGS,
        "qa6": _ALL,
        "qa7": _OF_THINGS,
        "qa8": (*_OF_THINGS, "order"),  # of the things in a list
        **dict.fromkeys(("qa9", "qa10"), _ALL),
    }
)
_N_SENTENCES = 8
_FEWER_SENTENCES = {"qa4": 2}  # all its stories have
_MAX_STORIES = 2_000  # stories without a pair before giving up
_MAX_REPEATS = 200  # repeated pairs in a row before concluding that there are no others


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """One question about an original and an edited story. The answers differ, except for a placebo.

    sentences, edited : all sentences before the question, original and edited
    changed : indices of the sentences that differ
    support, edited_support : indices of the supporting sentences on either side
    """

    task: str
    kind: str
    sentences: tuple[str, ...]
    edited: tuple[str, ...]
    changed: tuple[int, ...]
    question: str
    answer: str
    edited_answer: str
    support: tuple[int, ...]
    edited_support: tuple[int, ...]

    @property
    def stories(self) -> tuple[TextStory, TextStory]:
        """The original and the edited story, each with the question and its answer."""
        n = len(self.sentences)
        original = Question(self.question, self.answer, self.support, n)
        edited = Question(self.question, self.edited_answer, self.edited_support, n)
        return TextStory(self.sentences, (original,)), TextStory(self.edited, (edited,))


def sentences_of(task: str) -> int:
    """Length of the stories of a task that are patched as one batch, which needs equal lengths."""
    return _FEWER_SENTENCES.get(task, _N_SENTENCES)


def draw_counterfactuals(
    task: str, kind: str, n: int, seed: int, *, n_sentences: int | None = None
) -> list[Counterfactual]:
    """``n`` distinct pairs, where a pair with its sides exchanged counts as the same.

    Different seeds may draw the same pair in a task with few stories, such as task 4.

    Raises
    ------
    UserError
        As ``draw_counterfactual``, and when there are fewer than ``n`` distinct pairs.
    """
    if n < 1:
        raise UserError(f"n = {n} pairs; ask for at least 1")
    rng = Random(f"{seed}/{task}/{kind}")
    pairs: dict[object, Counterfactual] = {}
    n_repeats = 0
    while len(pairs) < n:
        pair = draw_counterfactual(task, kind, rng, n_sentences=n_sentences)
        both_sides = frozenset((pair.sentences, pair.edited)), pair.question
        n_repeats = n_repeats + 1 if both_sides in pairs else 0
        pairs.setdefault(both_sides, pair)
        if n_repeats == _MAX_REPEATS:
            raise UserError(
                f"{task} has only about {len(pairs)} distinct {kind} counterfactuals, not {n}; ask for fewer"
            )
    return list(pairs.values())


def draw_counterfactual(
    task: str, kind: str, rng: Random, *, n_sentences: int | None = None
) -> Counterfactual:
    """Draw stories and edits until one is possible and changes the answer (or keeps it, for a placebo).

    Parameters
    ----------
    task, kind : str
        One of ``KINDS_OF``; ``KINDS`` describes each kind.
    n_sentences : int, optional
        Length of the story. By default that of a generated story up to one of its questions.

    Raises
    ------
    UserError
        When the task has no pairs of that kind (the text lists its kinds), or none of that length.
    """
    get_task(task)
    if task not in KINDS_OF:
        raise UserError(f"task {task!r} has no counterfactuals; choose from: {', '.join(KINDS_OF)}")
    if kind not in KINDS_OF[task]:
        raise UserError(
            f"task {task!r} has no {kind!r} counterfactuals; choose from: {', '.join(KINDS_OF[task])}"
        )
    if n_sentences is not None and n_sentences < 1:
        raise UserError(f"n_sentences = {n_sentences}; a story has at least 1")
    return draw_pair(setting_of(task), kind, rng, n_sentences=n_sentences)


def draw_pair(setting: Setting, kind: str, rng: Random, *, n_sentences: int | None = None) -> Counterfactual:
    """A counterfactual pair of a task with any people, places and things; see ``draw_counterfactual``."""
    for story in _stories(setting, rng, n_sentences):
        candidates = list(edits(setting, kind, story.lines, story.question.support, rng))
        rng.shuffle(candidates)
        for edit in candidates:
            if pair := _pair(setting, story, kind, edit):
                return pair
    length = "" if n_sentences is None else f" of {n_sentences} sentences"
    raise UserError(
        f"no {kind} counterfactual in {_MAX_STORIES:,} {setting.name} stories{length}; "
        "try another n_sentences"
    )


class _StoryQuestion(NamedTuple):
    """A story up to a question. It was generated from ``seed``, which also gives its hidden start."""

    seed: int
    lines: tuple[StorySentence, ...]
    question: Question


def _stories(setting: Setting, rng: Random, n_sentences: int | None) -> Iterator[_StoryQuestion]:
    """Stories and questions as the task draws them, without questions that have two answers."""
    for _ in range(_MAX_STORIES):
        seed = rng.getrandbits(64)
        lines, question = _draw_story(setting, Random(seed), n_sentences)
        history = [line.statement for line in lines]
        if question is not None and answer_again(setting.task, history, question.text) is not None:
            yield _StoryQuestion(seed, lines, question)


def _draw_story(
    setting: Setting, rng: Random, n_sentences: int | None
) -> tuple[tuple[StorySentence, ...], Question | None]:
    if n_sentences is None:
        story = draw_story(setting.name, setting.task, rng)
        question = rng.choice(story.questions)
        return tuple(map(StorySentence, story.statements, story.sentences))[: question.n_statements], question
    story_lines = islice(chain.from_iterable(setting.task.draw(rng)), n_sentences)
    lines = tuple(StorySentence(line.statement, line.sentence) for line in story_lines)
    if len(lines) < n_sentences:
        raise UserError(f"n_sentences = {n_sentences}; a story of {setting.name} has only {len(lines)}")
    return lines, draw_question(setting.task, [line.statement for line in lines], rng)


def _pair(setting: Setting, story: _StoryQuestion, kind: str, edit: Edit) -> Counterfactual | None:
    """The pair; None if the edited story is impossible, or the edit lacks the effect its kind requires."""
    edited = tuple(edit.get(i, line) for i, line in enumerate(story.lines))
    history, question = [line.statement for line in edited], story.question
    if not is_possible(setting, story.seed, history):
        return None
    again = answer_again(setting.task, history, question.text)
    if again is None or (again.answer == question.answer) != (kind == "placebo"):
        return None
    support = [story.lines[i] for i in question.support] + [edited[i] for i in again.support]
    new, old = list(edit.values()), [story.lines[i] for i in edit]
    neutral = {"support": new, "placebo": [*new, *old]}.get(kind, [])
    if names_in(setting.cast, neutral) & names_in(setting.cast, support, question.text):
        return None
    return Counterfactual(
        task=setting.name,
        kind=kind,
        sentences=tuple(line.sentence for line in story.lines),
        edited=tuple(line.sentence for line in edited),
        changed=tuple(edit),
        question=question.text,
        answer=question.answer,
        edited_answer=again.answer,
        support=question.support,
        edited_support=again.support,
    )
