"""How strongly each word of a trace wrote to each slot, or each question read it, with its context.

Occurrences are streamed: only sums and the sentences of the strongest ones are kept.
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

StoryKey = tuple[int, int]  # number of the trace, and of the story in it
WRITE_HOOKS = ("mem.hook_write_pattern", "mem.hook_gate_in_token")
READ_HOOKS = ("mem.hook_read_pattern", "mem.hook_gate_out")
ASK = "record questions with lm2core.reading.story_traces.record_questions(lm, trace)"


@dataclass(frozen=True, slots=True)
class Context:
    """A token that wrote to a slot or read it, in its sentence; ``strength`` in [0, 1].

    story : index on the trace's axis ``story``, which counts questions in a question trace
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
    """One occurrence of a word, or of a question.

    place : trace, index on its axis ``story``, segment
    group : the story it belongs to, for means and intervals over stories
    words : the sentence or the question
    first : index in ``words`` of the first token in ``by_token``
    by_token : strength, ndarray of shape (n_blocks, n_tokens, n_slots); one token for a word
    """

    text: str
    place: tuple[int, int, int]
    group: StoryKey
    words: tuple[str, ...]
    first: int
    by_token: Array
    trace: Trace

    def context(self, slot: int) -> Context:
        """The token and block where it was strongest for ``slot``."""
        of_slot = self.by_token[..., slot]
        block, token = np.unravel_index(int(of_slot.argmax()), of_slot.shape)
        at = int(token) + self.first
        return Context(*self.place, at, self.trace.blocks[block], self.words, float(of_slot[block, token]))


def written(traces: Trace | Sequence[Trace]) -> Iterator[Occurrence]:
    """Every token of every story, with how strongly it wrote."""
    for i, trace in enumerate(as_traces(traces)):
        _check(trace, WRITE_HOOKS, RECORD)
        for b, story in enumerate(track(trace.tokens, "measuring writes", "story")):
            for s, words in enumerate(story):
                strengths = np.stack([write_strength(trace, s, block, story=b) for block in trace.blocks])
                for t, word in enumerate(words):
                    yield Occurrence(word, (i, b, s), (i, b), tuple(words), t, strengths[:, t : t + 1], trace)


def read(questions: Trace | Sequence[Trace]) -> Iterator[Occurrence]:
    """Every question, with how strongly it read."""
    for i, trace in enumerate(as_traces(questions)):
        if "asked" not in trace.info:
            raise UserError("no questions in this trace; make it with record_questions(lm, trace)")
        _check(trace, READ_HOOKS, ASK)
        for q, question in enumerate(track(trace.info["asked"], "measuring reads", "question")):
            (words,) = trace.tokens[q]
            strengths = [_read_strength(trace, block, q) for block in trace.blocks]
            yield Occurrence(
                " ".join(words),
                (i, q, 0),
                (i, question["story"]),
                tuple(words),
                0,
                np.stack(strengths),
                trace,
            )


def _read_strength(trace: Trace, block: int, question: int) -> Array:
    """How strongly each token of a question read each slot, (n_tokens, n_slots) in [0, 1]."""
    attention = read_by_token(trace, block, None, story=question)
    gate = trace.select(f"blocks.{block}.mem.hook_gate_out", story=question, segment=0)
    return attention * gate[: len(attention)].mean(axis=-1, keepdims=True)


def _check(trace: Trace, hooks: Sequence[str], record: str) -> None:
    """Refuse a trace that lacks hooks or has a single slot."""
    missing = [
        f"blocks.{block}.{hook}"
        for hook in hooks
        for block in trace.blocks or ("*",)
        if f"blocks.{block}.{hook}" not in trace.arrays
    ]
    if missing:
        raise UserError(f"the trace lacks {', '.join(missing)}; {record}")
    if trace.arrays[f"blocks.{trace.blocks[0]}.{hooks[0]}"].shape[-1] < 2:
        raise UserError("the bank has one slot and none to compare it with; use a model with several slots")


@dataclass(slots=True)
class StrengthTotals:
    """Totals over all occurrences.

    sums : by text and story, ndarray of shape (n_slots + 1,): summed strengths, and last their number
    contexts : for each slot, the strongest occurrences
    n_nan : words or questions excluded because a gate or a share is not finite
    """

    sums: dict[str, dict[StoryKey, Array]]
    contexts: tuple[tuple[Context, ...], ...]
    n_nan: int


def collect(occurrences: Iterable[Occurrence], n_contexts: int) -> StrengthTotals:
    """Total the strengths of ``occurrences``, which are consumed one by one."""
    sums: dict[str, dict[StoryKey, Array]] = {}
    strongest: list[dict[tuple[str, ...], Context]] = []
    n_nan = 0
    for occurrence in occurrences:
        if not np.isfinite(occurrence.by_token).all():
            n_nan += 1
            continue
        strength = occurrence.by_token.max(axis=(0, 1)).astype(float)
        if not strongest:
            strongest = [{} for _ in strength]
            threshold = np.zeros(len(strength))  # the strength that a new context must exceed
        by_story = sums.setdefault(occurrence.text, {})
        by_story[occurrence.group] = by_story.get(occurrence.group, 0.0) + np.append(strength, 1.0)
        for slot in np.flatnonzero(strength > threshold).tolist():
            threshold[slot] = _keep(strongest[slot], occurrence.context(slot), n_contexts)
    ranked = [sorted(contexts.values(), key=lambda context: -context.strength) for contexts in strongest]
    return StrengthTotals(sums, tuple(map(tuple, ranked)), n_nan)


def _keep(contexts: dict[tuple[str, ...], Context], context: Context, n_contexts: int) -> float:
    """Add a context, one per sentence, ``n_contexts`` at most; return the strength the next must exceed."""
    old = contexts.get(context.words)
    if old is None or context.strength > old.strength:
        contexts[context.words] = context
    if len(contexts) > n_contexts:
        del contexts[min(contexts, key=lambda words: contexts[words].strength)]
    return min(c.strength for c in contexts.values()) if len(contexts) == n_contexts else 0.0
