"""What a question reads from the bank of each story at two points, from question traces."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array

MIN_STORIES = 2
RECORD = "record_questions(lm, replace_questions(trace, question, [BEFORE, AFTER]))"


@dataclass(frozen=True, slots=True)
class ReadSpec:
    """Which read is compared.

    before, after : sentences read, from 1; ``after - before`` memory updates lie between them
    head : None for the mean over heads
    text : the question; None if only one was asked
    """

    before: int
    after: int
    block: int
    head: int | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        """Check ``before`` and ``after``."""
        if not 1 <= self.before < self.after:
            raise UserError(
                f"got before = {self.before} and after = {self.after} sentences; give 1 <= before < after"
            )


@dataclass(frozen=True, slots=True)
class Reads:
    """What the question read in each story.

    stories : story numbers, in the order of the arrays
    words : the question's tokens
    before, after : attention, ndarrays of shape (n_stories, n_words, n_slots); sums to 1 over slots
    n_nan : stories excluded because a read is not finite
    """

    stories: tuple[int, ...]
    words: tuple[str, ...]
    before: Array
    after: Array
    n_nan: int


def replace_questions(trace: Trace, text: str, after: Sequence[int]) -> Trace:
    """The story trace with its questions replaced by ``text``, asked after each of these sentence counts.

    For ``record_questions``. ``answer`` is None and ``support`` empty, since neither is known.

    Raises
    ------
    UserError
        When a story is too short, or the trace holds no stories.
    """
    if "stories" not in trace.info:
        raise UserError(
            "the trace holds no stories to ask about; record it with lm2core.reading.answers.read_stories"
        )
    shortest = min(len(words) for words in trace.tokens)
    wrong = [n for n in after if not 1 <= n <= shortest]
    if wrong or not after:
        raise UserError(
            f"cannot ask after {wrong or 'no'} sentences; the shortest story has {shortest}; "
            f"choose 1 to {shortest}"
        )
    questions: list[dict[str, Any]] = [
        {"text": text, "answer": None, "support": [], "n_statements": n} for n in after
    ]
    stories = [{**story, "questions": questions} for story in trace.info["stories"]]
    return replace(trace, info={**trace.info, "stories": stories})


def join_questions(question_traces: Sequence[Trace], traces: Sequence[Trace]) -> Trace:
    """One trace of a question that was asked part by part of many stories, whose numbers count on.

    question_traces : as ``record_questions`` made them of ``traces``, all of the same question
    """
    first, questions, n_before = question_traces[0], [], 0
    for asked, trace in zip(question_traces, traces, strict=True):
        questions += [{**q, "story": q["story"] + n_before} for q in asked.info["asked"]]
        n_before += len(trace.tokens)
    return Trace(
        {name: np.concatenate([one.arrays[name] for one in question_traces]) for name in first.arrays},
        first.axes,
        [words for one in question_traces for words in one.tokens],
        {**first.info, "asked": questions},
    )


def at_time(n_sentences: int) -> str:
    """Words for a point in a story: "after 3 sentences"."""
    return f"after {n_sentences} sentence{'s' if n_sentences > 1 else ''}"


def question_of(question_trace: Trace, spec: ReadSpec) -> str:
    """The question that ``spec`` chooses; a UserError if it chooses none."""
    questions = question_trace.info.get("asked")
    if not questions:
        raise UserError(f"the trace holds no questions; record them with {RECORD}")
    texts = sorted({str(question["text"]) for question in questions})
    text = texts[0] if spec.text is None and len(texts) == 1 else spec.text
    if text not in texts:
        raise UserError(f"no question {text!r} in the trace; it has: {', '.join(texts)}")
    return str(text)


def reads_of(question_trace: Trace, spec: ReadSpec, text: str) -> Reads:
    """The reads of all stories in which the question was asked at both times."""
    places: dict[int, dict[int, int]] = {}
    for i, question in enumerate(question_trace.info.get("asked", ())):
        if question["text"] == text:
            places.setdefault(question["story"], {})[question["n_statements"]] = i
    stories = tuple(b for b, at in sorted(places.items()) if {spec.before, spec.after} <= set(at))
    if len(stories) < MIN_STORIES:
        times = sorted({n for at in places.values() for n in at})
        raise UserError(
            f"{text!r} was asked {at_time(spec.before)} and {at_time(spec.after)} in {len(stories)} stories; "
            f"at least {MIN_STORIES} are needed. It was asked after {times}; ask again with {RECORD}"
        )
    words = tuple(question_trace.tokens[places[stories[0]][spec.before]][0])
    pattern = _pattern(question_trace, spec)[..., : len(words), :]
    before, after = (pattern[[places[b][n] for b in stories]] for n in (spec.before, spec.after))
    is_finite = np.asarray(np.isfinite(before + after).all(axis=(1, 2)))
    finite = tuple(b for b, is_fine in zip(stories, is_finite, strict=True) if is_fine)
    if len(finite) < MIN_STORIES:
        raise UserError(
            f"reads of {len(stories) - len(finite)} of {len(stories)} stories are not finite, and at least "
            f"{MIN_STORIES} must be; check the model's gates"
        )
    return Reads(finite, words, before[is_finite], after[is_finite], len(stories) - len(finite))


def _pattern(question_trace: Trace, spec: ReadSpec) -> Array:
    """Attention (n_questions, n_words, n_slots) of the chosen block and head."""
    name = f"blocks.{spec.block}.mem.hook_read_pattern"
    if name not in question_trace.arrays:
        blocks = [
            b for b in question_trace.blocks if f"blocks.{b}.mem.hook_read_pattern" in question_trace.arrays
        ]
        raise UserError(
            f"the trace lacks {name}; it has read patterns of blocks {blocks}; record it with {RECORD}"
        )
    pattern: Array = question_trace.select(name, segment=0)
    if spec.head is None:
        return np.asarray(pattern.mean(axis=1))
    if not 0 <= spec.head < pattern.shape[1]:
        raise UserError(f"no head {spec.head}; choose 0 to {pattern.shape[1] - 1}, or None for the mean")
    return pattern[:, spec.head]
