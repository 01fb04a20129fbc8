"""What writes to a slot and what reads it: words and questions by strength, with sentences as examples."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, columns, mean, sign_flip_p
from lm2viz.figures.slots import ranked_bars
from lm2viz.progress import track
from lm2viz.sample.rows import check_same_model
from lm2viz.slots.strengths import Context, StoryKey, collect, read, written

WRITES, READS = "written by", "read by"
MIN_STORIES = 4  # two to choose words, two to measure them
MEASURED_STORIES = 2  # a word of fewer has no interval


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly a word writes to a slot, or a question reads it: fractions in [0, 1], a mean over stories.

    elsewhere : the control, the same occurrences in the other slots, mean over these
    p : sign-flip p, over stories, that both are equal
    """

    slot: int
    kind: str
    text: str
    strength: Estimate
    in_other_slots: Estimate
    p: float

    @property
    def compared(self) -> str:
        """In words: the strongest text of a slot may still be stronger in most others."""
        if self.strength.low > self.in_other_slots.high:
            return "more than in other slots"
        if self.strength.high < self.in_other_slots.low:
            return "less than in other slots"
        return "no more than in other slots"


@dataclass(frozen=True, slots=True)
class TopContexts:
    """What writes to each slot and reads it, strongest first.

    strengths : of the words and questions that were chosen, measured on stories that did not choose them
    contexts : by kind, for each slot, the strongest sentences, no sentence twice
    n_nan : words and questions left out because a gate or a share is not finite there
    """

    strengths: tuple[Strength, ...]
    contexts: Mapping[str, tuple[tuple[Context, ...], ...]]
    n_stories: int
    n_nan: int

    def of(self, slot: int, kind: str = WRITES) -> tuple[Strength, ...]:
        """The words that write to one slot, or the questions that read it."""
        return tuple(one for one in self.strengths if (one.slot, one.kind) == (slot, kind))

    def summary(self) -> str:
        """For each slot the strongest word and question, with control and example."""
        lines = [
            f"Top contexts of {self.n_stories} stories: words and questions are chosen on half of them and "
            "measured on the others; strength: share times gate, mean over stories"
        ]
        for kind, by_slot in self.contexts.items():
            for slot, examples in enumerate(by_slot):
                best = self.of(slot, kind)[:1]
                hover_text = "; ".join(
                    f"{one.text}, {one.strength}; {one.compared}, {one.in_other_slots.value:.3g} "
                    f"({one.in_other_slots.low:.3g} to {one.in_other_slots.high:.3g}), p = {one.p:.2g}"
                    for one in best
                )
                example = f"; {examples[0]}" if examples else ""
                lines.append(f"slot {slot}, {kind}: {hover_text or 'nothing'}{example}")
        if self.n_nan:
            lines.append(f"{self.n_nan} words and questions left out: not finite")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a slot, kind and text."""
        return pd.DataFrame(
            {
                "slot": [one.slot for one in self.strengths],
                "kind": [one.kind for one in self.strengths],
                "text": [one.text for one in self.strengths],
                "n_stories": [one.strength.n for one in self.strengths],
                **columns("strength", [one.strength for one in self.strengths]),
                **columns("elsewhere", [one.in_other_slots for one in self.strengths]),
                "compared": [one.compared for one in self.strengths],
                "p": [one.p for one in self.strengths],
            }
        )

    def figure(self) -> go.Figure:
        """A bar for each word and question of each slot, its control on it."""
        panels = {}
        for kind in self.contexts:
            chosen = [one for one in self.strengths if one.kind == kind]
            series = {
                "this slot": [one.strength for one in chosen],
                "control: the same in other slots": [one.in_other_slots for one in chosen],
            }
            panels[f"slot, {kind}"] = [f"{one.slot}: {one.text}" for one in chosen], series
        return ranked_bars(panels, title="strength (share times gate, 0 to 1)")


def top_contexts(
    traces: Trace | Sequence[Trace],
    questions: Trace | Sequence[Trace] = (),
    *,
    n_contexts: int = 5,
    n_texts: int = 3,
    seed: int = 0,
) -> TopContexts:
    """Rank words by how strongly they write to each slot, and questions by how strongly they read it.

    A word's strength is its share of the slot's update times its input gate; a question's is that of its
    strongest word, the attention to the slot (mean over heads) times the output gate. Gates are means over
    the width; of several blocks the strongest counts.

    questions : traces that ``record_questions`` made of these traces, in their order; none: writes only
    n_contexts, n_texts : sentences, and words or questions, for each slot

    Raises
    ------
    UserError
        For missing hooks, mixed models, fewer than ``MIN_STORIES`` stories, questions about other stories, or
        a model of one slot.
    """
    _check_models(traces, questions)
    writes = collect(written(traces), n_contexts)
    reads = collect(read(questions), n_contexts)
    places, question_trace = (
        sorted({place for by_place in one.sums.values() for place in by_place}) for one in (writes, reads)
    )
    if not set(question_trace) <= set(places):
        raise UserError("questions about stories that are not in the traces; ask about these, trace by trace")
    choosing = _half(places, seed)
    result = {kind: one for kind, one in ((WRITES, writes), (READS, reads)) if one.sums}
    strengths = [one for kind in result for one in _ranked(kind, result[kind].sums, choosing, n_texts)]
    contexts = {kind: one.contexts for kind, one in result.items()}
    return TopContexts(tuple(strengths), contexts, len(places), writes.n_nan + reads.n_nan)


def _check_models(traces: Trace | Sequence[Trace], questions: Trace | Sequence[Trace]) -> None:
    """Refuse questions of another model; of several traces the first is opened."""
    firsts = [next(iter([x] if isinstance(x, Trace) else x), None) for x in (traces, questions)]
    if firsts[0] is not None and firsts[1] is not None:
        check_same_model(firsts[0], firsts[1])


def _half(places: Sequence[StoryKey], seed: int) -> set[StoryKey]:
    """Half of the stories, drawn at random."""
    if len(places) < MIN_STORIES:
        raise UserError(
            f"{len(places)} stories are too few to choose words on some and measure them on others; "
            f"record at least {MIN_STORIES}, better 100"
        )
    order = np.random.default_rng(seed).permutation(len(places))
    return {places[i] for i in order[: len(places) // 2]}


def _ranked(
    kind: str, sums: Mapping[str, Mapping[StoryKey, Array]], choosing: set[StoryKey], n_texts: int
) -> Iterator[Strength]:
    """The texts that are strongest in the choosing stories, for each slot, as they are in the others."""
    measured, chosen_by = {}, {}
    for text, by_story in sums.items():
        means = {place: total[:-1] / total[-1] for place, total in by_story.items()}
        first, other = (
            [vector for place, vector in means.items() if (place in choosing) is is_choosing]
            for is_choosing in (True, False)
        )
        if first and len(other) >= MEASURED_STORIES:
            chosen_by[text], measured[text] = np.mean(first, axis=0), np.array(other)
    n_slots = len(next(iter(chosen_by.values()))) if chosen_by else 0
    for slot in track(range(n_slots), f"ranking what a slot is {kind}", "slot"):
        for text in sorted(chosen_by, key=lambda one: -chosen_by[one][slot])[:n_texts]:
            here = measured[text][:, slot]
            in_other_slots = (measured[text].sum(axis=1) - here) / (n_slots - 1)
            yield Strength(
                slot, kind, text, mean(here), mean(in_other_slots), sign_flip_p(here - in_other_slots)
            )
