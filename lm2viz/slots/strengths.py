"""How strongly each word of a trace wrote to each slot, or each question read it, and where it stands.

Occurrences are looked at once, as they come: of them only sums and the strongest sentences are kept.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.progress import track
from lm2viz.sample.rows import RECORD, as_traces
from lm2viz.story.select import read_by_token, write_strength

StoryKey = tuple[int, int]  # trace and story in it
WRITE_HOOKS = ("mem.hook_write_pattern", "mem.hook_gate_in_token")
READ_HOOKS = ("mem.hook_read_pattern", "mem.hook_gate_out")
ASK = "record questions with: record_questions(reader, trace), see lm2core.reading.story_traces"


@dataclass(frozen=True, slots=True)
class Context:
    """A token that wrote to a slot or read it, where it stands; ``strength`` in [0, 1].

    story : place on the axis ``story`` of the trace, which counts questions where those were recorded
    """

    trace: int
    story: int
    segment: int
    token: int
    block: int
    words: tuple[str, ...]
    strength: float

    def __str__(self) -> str:
        marked = (f"[{word}]" if i == self.token else word for i, word in enumerate(self.words))
        return f"{' '.join(marked)} ({self.strength:.2f})"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """A word, or a question, where it stands.

    place : trace, story on its axis, segment
    by_token : its strength, ndarray of shape (n_blocks, n_tokens, n_slots); a word has its one token only
    first : place of the first of these tokens among ``words``
    """

    text: str
    place: tuple[int, int, int]
    group: StoryKey
    words: tuple[str, ...]
    first: int
    by_token: Array
    trace: Trace

    def context(self, slot: int) -> Context:
        """Where it was strongest for a slot."""
        of_slot = self.by_token[..., slot]
        block, token = np.unravel_index(int(of_slot.argmax()), of_slot.shape)
        at = int(token) + self.first
        return Context(*self.place, at, self.trace.blocks[block], self.words, float(of_slot[block, token]))


def written(traces: Trace | Sequence[Trace]) -> Iterator[Occurrence]:
    """Every token of every story."""
    for i, trace in enumerate(as_traces(traces)):
        _check(trace, WRITE_HOOKS, RECORD)
        for b, story in enumerate(track(trace.tokens, "looking at every word", "story")):
            for s, words in enumerate(story):
                strengths = np.stack([write_strength(trace, s, block, story=b) for block in trace.blocks])
                for t, word in enumerate(words):
                    yield Occurrence(word, (i, b, s), (i, b), tuple(words), t, strengths[:, t : t + 1], trace)


def read(questions: Trace | Sequence[Trace]) -> Iterator[Occurrence]:
    """Every question."""
    for i, trace in enumerate(as_traces(questions)):
        if "asked" not in trace.info:
            raise UserError("no questions in this trace; make it with record_questions(reader, trace)")
        _check(trace, READ_HOOKS, ASK)
        for q, question_trace in enumerate(
            track(trace.info["asked"], "looking at every question", "question")
        ):
            (words,) = trace.tokens[q]
            strengths = [_read_strength(trace, block, q) for block in trace.blocks]
            yield Occurrence(
                " ".join(words),
                (i, q, 0),
                (i, question_trace["story"]),
                tuple(words),
                0,
                np.stack(strengths),
                trace,
            )


def _read_strength(trace: Trace, block: int, question: int) -> Array:
    """How far each token of a question took each slot in, (n_tokens, n_slots) in [0, 1]."""
    attention = read_by_token(trace, block, None, story=question)
    gate = trace.select(f"blocks.{block}.mem.hook_gate_out", story=question, segment=0)
    return attention * gate[: len(attention)].mean(axis=-1, keepdims=True)


def _check(trace: Trace, hooks: Sequence[str], record: str) -> None:
    """Refuse a trace without these hooks, or of one slot."""
    missing = [
        f"blocks.{block}.{hook}"
        for hook in hooks
        for block in trace.blocks or ("*",)
        if f"blocks.{block}.{hook}" not in trace.arrays
    ]
    if missing:
        raise UserError(f"the trace lacks {', '.join(missing)}; {record}")
    if trace.arrays[f"blocks.{trace.blocks[0]}.{hooks[0]}"].shape[-1] < 2:
        raise UserError("one slot has no other to compare it with; take a model of several slots")


@dataclass(slots=True)
class StrengthTotals:
    """By text and story the sums of strengths, (n_slots + 1,), the count behind them; strongest contexts.

    n_nan : words or questions left out because a gate or a share is not finite there
    """

    sums: dict[str, dict[StoryKey, Array]]
    contexts: tuple[tuple[Context, ...], ...]
    n_nan: int


def collect(occurrences: Iterable[Occurrence], n_contexts: int) -> StrengthTotals:
    """Look at each once, and keep no trace."""
    sums: dict[str, dict[StoryKey, Array]] = {}
    strongest: list[dict[tuple[str, ...], Context]] = []
    n_nan = 0
    for seen in occurrences:
        if not np.isfinite(seen.by_token).all():
            n_nan += 1
            continue
        strength = seen.by_token.max(axis=(0, 1)).astype(float)
        if not strongest:
            strongest = [{} for _ in strength]
            floor = np.zeros(len(strength))  # what a sentence must exceed to be kept
        by_story = sums.setdefault(seen.text, {})
        by_story[seen.group] = by_story.get(seen.group, 0.0) + np.append(strength, 1.0)
        for slot in np.flatnonzero(strength > floor).tolist():
            floor[slot] = _keep(strongest[slot], seen.context(slot), n_contexts)
    ranked = [sorted(retained.values(), key=lambda context: -context.strength) for retained in strongest]
    return StrengthTotals(sums, tuple(map(tuple, ranked)), n_nan)


def _keep(retained: dict[tuple[str, ...], Context], context: Context, n_contexts: int) -> float:
    """Add a context, a sentence once, ``n_contexts`` at most; return the strength the next must exceed."""
    old = retained.get(context.words)
    if old is None or context.strength > old.strength:
        retained[context.words] = context
    if len(retained) > n_contexts:
        del retained[min(retained, key=lambda words: retained[words].strength)]
    return min(c.strength for c in retained.values()) if len(retained) == n_contexts else 0.0
