"""Counterfactual pairs: a story, a minimal edit of it, and the answers to one question on both sides.

The ground truth of causal claims about a model: what was changed, and what must change with it. Sentences of
the two sides stand one to one and have equally many words, so every token has its like at the same position.
Both are stories of one world: where people and things are hidden at the start is the same.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from random import Random
from types import MappingProxyType
from typing import NamedTuple

from lm2core.babi.edits import KINDS, Edit, StorySentence, edits, names_in
from lm2core.babi.replay import answer_again, is_possible
from lm2core.babi.story import Question
from lm2core.babi.tasks import draw_question, get_task, make_story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError

__all__ = [
    "KINDS",
    "KINDS_OF",
    "Counterfactual",
    "draw_counterfactual",
    "draw_counterfactuals",
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
_FEWER_SENTENCES = {"qa4": 2}  # that task tells no more
_MAX_STORIES = 2_000  # without a pair, before it is given up
_MAX_REPEATS = 200  # of known pairs in a row, before there are held to be no others


@dataclass(frozen=True, slots=True, kw_only=True)
class Counterfactual:
    """A question about a story as told and as edited. The answers differ, but for a placebo.

    sentences, edited : all that is told before the question
    changed : indices of the sentences that differ
    support, edited_support : indices of the sentences that answer the question on either side
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
        """The story as told and as edited, each with the question and its answer."""
        n = len(self.sentences)
        story_lines = Question(self.question, self.answer, self.support, n)
        edited = Question(self.question, self.edited_answer, self.edited_support, n)
        return TextStory(self.sentences, (story_lines,)), TextStory(self.edited, (edited,))


def sentences_of(task: str) -> int:
    """How long stories of a task are that are patched side by side, which must be of one length."""
    return _FEWER_SENTENCES.get(task, _N_SENTENCES)


def draw_counterfactuals(
    task: str, kind: str, n: int, seed: int, *, n_sentences: int | None = None
) -> list[Counterfactual]:
    """``n`` pairs, none of them twice or turned round; see ``draw_counterfactual``.

    Different seeds may draw the same pair of a task with few stories, like task 4.

    Raises
    ------
    UserError
        As there, and when there are not so many different ones.
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
                f"found {len(pairs)} different {kind} counterfactuals of {task}, not {n}; ask for fewer"
            )
    return list(pairs.values())


def draw_counterfactual(
    task: str, kind: str, rng: Random, *, n_sentences: int | None = None
) -> Counterfactual:
    """Draw stories and edits until one is possible and changes the answer, or for a placebo leaves it.

    Parameters
    ----------
    task, kind : str
        Of ``KINDS_OF``; ``KINDS`` says what each is.
    n_sentences : int, optional
        In the story. By default as many as the task tells before one of its questions.

    Raises
    ------
    UserError
        When the task has no such pairs (names those it has), or none is found with so many sentences.
    """
    get_task(task)
    if task not in KINDS_OF:
        raise UserError(f"no counterfactuals of task {task!r}, only of: {', '.join(KINDS_OF)}")
    if kind not in KINDS_OF[task]:
        raise UserError(f"no {kind!r} counterfactuals of task {task!r}, only: {', '.join(KINDS_OF[task])}")
    if n_sentences is not None and n_sentences < 1:
        raise UserError(f"n_sentences = {n_sentences}; a story has at least 1")
    for story in _stories(task, rng, n_sentences):
        candidates = list(edits(task, kind, story.lines, story.question.support, rng))
        rng.shuffle(candidates)
        for edit in candidates:
            if pair := _pair(story, kind, edit):
                return pair
    length = "" if n_sentences is None else f" of {n_sentences} sentences"
    raise UserError(
        f"no {kind} counterfactual in {_MAX_STORIES:,} {task} stories{length}; try another n_sentences"
    )


class _StoryQuestion(NamedTuple):
    """A story up to a question. It was told from ``seed``, which therefore gives its hidden start."""

    task: str
    seed: int
    lines: tuple[StorySentence, ...]
    question: Question


def _stories(task: str, rng: Random, n_sentences: int | None) -> Iterator[_StoryQuestion]:
    """Stories and questions as the task draws them, but for questions with two answers."""
    for _ in range(_MAX_STORIES):
        seed = rng.getrandbits(64)
        lines, question = _tell(task, Random(seed), n_sentences)
        history = [line.statement for line in lines]
        if question is not None and answer_again(task, history, question.text) is not None:
            yield _StoryQuestion(task, seed, lines, question)


def _tell(
    task: str, rng: Random, n_sentences: int | None
) -> tuple[tuple[StorySentence, ...], Question | None]:
    if n_sentences is None:
        story = make_story(task, rng)
        question = rng.choice(story.questions)
        return tuple(map(StorySentence, story.statements, story.sentences))[: question.n_statements], question
    story_lines = islice(chain.from_iterable(get_task(task).tell(rng)), n_sentences)
    lines = tuple(StorySentence(line.statement, line.sentence) for line in story_lines)
    if len(lines) < n_sentences:
        raise UserError(f"n_sentences = {n_sentences}; a story of {task} has only {len(lines)}")
    return lines, draw_question(get_task(task), [line.statement for line in lines], rng)


def _pair(story: _StoryQuestion, kind: str, edit: Edit) -> Counterfactual | None:
    """The pair, if the edited story is possible and its answer, and what the edit is about, are as wanted."""
    edited = tuple(edit.get(i, line) for i, line in enumerate(story.lines))
    history, question = [line.statement for line in edited], story.question
    if not is_possible(story.task, story.seed, history):
        return None
    again = answer_again(story.task, history, question.text)
    if again is None or (again.answer == question.answer) != (kind == "placebo"):
        return None
    support = [story.lines[i] for i in question.support] + [edited[i] for i in again.support]
    new, old = list(edit.values()), [story.lines[i] for i in edit]
    neutral = {"support": new, "placebo": [*new, *old]}.get(kind, [])
    if names_in(story.task, neutral) & names_in(story.task, support, question.text):
        return None
    return Counterfactual(
        task=story.task,
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
