"""The main sources of what a question read, and the answer's probability without each, to fit on one page."""

from dataclasses import dataclass, replace
from textwrap import shorten

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.figures.sources import source_bars
from lm2viz.figures.update import routes
from lm2viz.provenance import Provenance, trace_answer

MAX_SENTENCES = 120  # time grows quadratically: 400 sentences take a minute
MAX_ROWS = 16
MAX_NAME = 34  # characters; longer sentences are cut
NEEDED_BELOW = 0.5  # without a needed sentence the answer is at most this much as probable as with all


def is_needed(p_all: float, p_without: Array) -> NDArray[np.bool_]:
    """Which sentences an answer needs, by its probability with all of them and without each."""
    needed: NDArray[np.bool_] = p_without <= NEEDED_BELOW * p_all
    return needed


@dataclass(frozen=True, slots=True)
class Sources:
    """The largest sources of what one question read, in the order of the story.

    numbers : sentence numbers, from 1; last 0, the start bank
    direct, indirect, any_slot : ndarrays of shape (n_shown,), see ``Provenance``
    slot_share_of_read : ndarray of shape (n_shown, n_slots), see ``Provenance``
    model_answer, p_all : the answer and its probability, in [0, 1]
    p_without : ndarray of shape (n_shown,), its probability without the sentence; NaN for the start bank
    n_sources : number of sources, including those not shown
    rest : total signed share of the sources not shown
    error : as in ``SlotSources``
    """

    numbers: tuple[int, ...]
    names: tuple[str, ...]
    direct: Array
    indirect: Array
    any_slot: Array
    slot_share_of_read: Array
    model_answer: str
    p_all: float
    p_without: Array
    support: tuple[int, ...]
    n_sources: int
    rest: float
    error: float

    @property
    def origin(self) -> Array:
        """Share of each source, directly or via other slots, (n_shown,)."""
        return self.direct + self.indirect

    @property
    def n_omitted(self) -> int:
        """Number of sources that are not shown."""
        return self.n_sources - len(self.numbers)

    @property
    def verdict(self) -> str:
        """The sentence that most of the read came from, with its controls, in a sentence."""
        top = int(self.origin.argmax())
        share, control = (f"{max(float(x[top]), 0.0):.0%}" for x in (self.origin, self.any_slot))
        tail = f"if every slot were read equally, {control}"
        if not self.numbers[top]:
            return f"The answer rests on no sentence: {share} of what it read is the fresh bank's; {tail}."
        if not np.isnan(self.p_without[top]):
            without = f"{self.p_without[top]:.0%} (with it, {self.p_all:.0%})"
            tail += f". Without this sentence, the probability of {self.model_answer} is {without}"
        number = self.numbers[top]
        return f"The answer rests on sentence {number}: {share} of what it read was written there; {tail}."

    def summary(self) -> str:
        """The largest source with its control, and the answer's probability without it."""
        top = int(self.origin.argmax())
        control = f"every slot read equally {self.any_slot[top]:.0%}"
        finding = f"largest source {self.names[top]}: {self.origin[top]:.0%} ({control})"
        if np.isnan(self.p_without[top]):
            return finding
        with_all = f"the answer {self.model_answer} has probability {self.p_all:.0%}"
        return f"{finding}; {with_all}, without this sentence {self.p_without[top]:.0%}"

    def figure(self) -> go.Figure:
        """A bar per source, with the controls; each row can be clicked."""
        marked = [
            f"{name} *" if n in self.support else name
            for n, name in zip(self.numbers, self.names, strict=True)
        ]
        shares = np.stack([self.direct, self.indirect, self.any_slot])
        return source_bars(
            marked,
            shares,
            self.numbers,
            even=1 / self.n_sources,
            without=self.p_without,
            is_needed=is_needed(self.p_all, self.p_without),
        )

    def arrows(self) -> go.Figure:
        """From the answer on the right back through slots to sentences; wide lines are large shares."""
        of_slots = np.clip(self.slot_share_of_read.sum(axis=0), 0.0, 1.0)
        return routes(
            self.names,
            np.clip(self.slot_share_of_read, 0.0, 1.0),
            [self.model_answer],
            of_slots[None],
            slot=int(of_slots.argmax()),
            titles=("sentences", "slots", "answer"),
            left_margin=1.6,
        )


def sources_of(trace: Trace, question_trace: Trace, without: Array, *, max_rows: int = MAX_ROWS) -> Sources:
    """The main sources of what the one question of ``question_trace`` read; see ``trace_answer``.

    trace : one story, one sentence per segment
    question_trace : see ``single_question_trace``
    without : ndarray of shape (n_sentences + 1,), see ``causal.answers_without_sentences``
    max_rows : sources to show; supports and needed sentences are always shown

    Raises
    ------
    UserError
        As ``trace_answer``, and for a question after more than ``MAX_SENTENCES`` sentences.
    """
    question = question_trace.info["asked"][0]
    n_read = question["n_statements"]
    check_length(n_read)
    until = replace(trace, tokens=[trace.tokens[0][:n_read]])  # later sentences only cost time
    return largest(
        trace_answer(until, question_trace, 0, follow="copies"), question["given"], without, max_rows
    )


def check_length(n_read: int) -> None:
    """Refuse, with a UserError, more sentences than can be traced while a page waits."""
    if n_read > MAX_SENTENCES:
        raise UserError(
            f"{n_read} sentences were read, but a page traces at most {MAX_SENTENCES}; go to an earlier "
            "sentence, or use lm2viz.provenance.trace_answer"
        )


def largest(provenance: Provenance, model_answer: str, without: Array, max_rows: int) -> Sources:
    """Select the supports, the needed sentences, the largest other sources, and the start bank."""
    p_all, *p_without = without.tolist()
    needed = np.flatnonzero(is_needed(p_all, np.array(p_without))).tolist()
    first = dict.fromkeys([*provenance.support, *needed])
    ranked = list(first | dict.fromkeys(provenance.ranking().tolist()))
    shown = [*sorted(ranked[: max(max_rows - 1, len(first))]), len(provenance.sources) - 1]
    sentences = [source.split(": ", 1)[-1] for source in provenance.sources]
    numbers = [n + 1 for n in shown[:-1]]
    named = [f"{n} {sentences[n - 1]}" for n in numbers]
    return Sources(
        numbers=(*numbers, 0),
        names=(*(shorten(name, MAX_NAME, placeholder=" …") for name in named), provenance.sources[-1]),
        direct=provenance.direct[shown],
        indirect=provenance.indirect[shown],
        any_slot=provenance.any_slot[shown],
        slot_share_of_read=provenance.slot_share_of_read[shown],
        model_answer=model_answer,
        p_all=p_all,
        p_without=np.array([*p_without, np.nan])[shown],
        support=tuple(n + 1 for n in provenance.support),
        n_sources=len(provenance.sources),
        rest=float(provenance.origin.sum() - provenance.origin[shown].sum()),
        error=provenance.error,
    )
