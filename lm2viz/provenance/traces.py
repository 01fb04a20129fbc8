"""Checks of the traces that provenance needs: their hooks, one model, matching question traces."""

from collections.abc import Iterator, Sequence
from typing import Any

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.sample.rows import as_traces, check_same_model

FOLLOW = ("copies", "stream")
START = "start bank"
WRITE_HOOKS = (
    "hook_bank_pre",
    "hook_candidate",
    "hook_gate_forget",
    "hook_gate_in_token",
    "hook_write_pattern",
    "hook_write_read",
    "hook_write_read_pattern",
)
READ_PATTERN = "mem.hook_read_pattern"
STREAM_HOOKS = ("hook_resid_pre", "hook_attn_out", "attn.hook_pattern")
STORY_HOOKS = ("mem.*", "hook_bank", "hook_mem_out", *STREAM_HOOKS)  # enough for follow="stream"


def check_story_trace(trace: Trace, follow: str) -> None:
    """Refuse traces that cannot be unrolled.

    Raises
    ------
    UserError
        For an unknown ``follow``, positional routing, or missing hooks (saying how to record them).
    """
    if follow not in FOLLOW:
        raise UserError(f"unknown follow={follow!r}; choose one of: {', '.join(FOLLOW)}")
    if trace.info.get("config", {}).get("routing") == "positional":
        raise UserError(
            "slots of positional routing are token positions and are not written again, so they cannot be "
            "unrolled; use a model with routing='content'"
        )
    blocks = trace.blocks or (0,)
    hooks = [f"blocks.{block}.mem.{hook}" for block in blocks for hook in WRITE_HOOKS]
    list(as_traces(trace, needs=["hook_bank", *hooks]))
    if follow == "stream":
        needed = [f"blocks.{block}.{hook}" for block in range(blocks[-1] + 1) for hook in STREAM_HOOKS]
        _check_has(
            trace,
            [*needed, *(f"blocks.{b}.{hook}" for b in blocks for hook in ("hook_mem_out", READ_PATTERN))],
            f"read the stories with names={STORY_HOOKS}, or lm2 trace --hooks '{','.join(STORY_HOOKS)}'",
        )


def paired_traces(
    traces: Trace | Sequence[Trace], question_trace: Trace | Sequence[Trace], follow: str
) -> Iterator[tuple[Trace, Trace]]:
    """Story traces, each with its question trace, one pair in memory at a time.

    Raises
    ------
    UserError
        As ``check_story_trace``; for traces of different models, or that do not belong together.
    """
    n_traces, questions = (1 if isinstance(x, Trace) else len(x) for x in (traces, question_trace))
    if n_traces != questions:
        raise UserError(
            f"got {n_traces} story traces and {questions} question traces; give one question trace for each"
        )
    for trace, question in zip(as_traces(traces), as_traces(question_trace), strict=True):
        check_story_trace(trace, follow)
        _check_questions(trace, question)
        yield trace, question


def _check_questions(trace: Trace, question_trace: Trace) -> None:
    questions: Sequence[dict[str, Any]] = question_trace.info.get("asked", ())
    if not questions:
        raise UserError("the second trace has no questions; make it with record_questions(lm, trace)")
    check_same_model(trace, question_trace)
    hooks = [f"blocks.{b}.{hook}" for b in trace.blocks for hook in (READ_PATTERN, "hook_mem_out")]
    _check_has(question_trace, hooks, "record it with record_questions(lm, trace)")
    for question in questions:
        story, n_read = question["story"], question["n_statements"]
        if n_read < 1:
            raise UserError(f"{question['text']!r} is asked before any sentence; ask it after at least one")
        if story >= len(trace.tokens) or n_read > len(trace.tokens[story]):
            raise UserError(
                f"a question is asked after sentence {n_read} of story {story}, which the story trace does "
                "not have; give the trace that the questions were recorded from"
            )


def _check_has(trace: Trace, hooks: Sequence[str], remedy: str) -> None:
    missing = [name for name in hooks if name not in trace.arrays]
    if missing:
        raise UserError(f"the trace lacks {', '.join(missing)}; {remedy}")


def source_names(trace: Trace, story: int, n_read: int) -> tuple[str, ...]:
    """The first ``n_read`` sentences, numbered from 0, then the start bank."""
    stories = trace.info.get("stories")
    texts = stories[story]["sentences"] if stories else [" ".join(words) for words in trace.tokens[story]]
    return (*(f"{s}: {text}" for s, text in enumerate(texts[:n_read])), START)
