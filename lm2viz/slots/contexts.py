"""What writes to a slot and what reads it: words and questions ranked by strength, with example sentences."""

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
MEASURED_STORIES = 2  # a word in fewer stories has no interval


@dataclass(frozen=True, slots=True)
class Strength:
    """How strongly a word writes to a slot, or a question reads it: in [0, 1], mean over stories.

    in_other_slots : control, the mean strength of the same occurrences in the other slots
    p : sign-flip p over stories; the null hypothesis is that both are equal
    """

    slot: int
    kind: str
    text: str
    strength: Estimate
    in_other_slots: Estimate
    p: float

    @property
    def compared(self) -> str:
        """The comparison in words: the strongest text of a slot may be stronger still in other slots."""
        if self.strength.low > self.in_other_slots.high:
            return "more than in other slots"
        if self.strength.high < self.in_other_slots.low:
            return "less than in other slots"
        return "no more than in other slots"


@dataclass(frozen=True, slots=True)
class TopContexts:
    """What writes to each slot and what reads it, strongest first.

    strengths : of the chosen words and questions, measured on stories that were not used to choose them
    contexts : by kind and slot, the sentences of the strongest occurrences, no sentence twice
    n_nan : words and questions excluded because a gate or a share is not finite
    """

    strengths: tuple[Strength, ...]
    contexts: Mapping[str, tuple[tuple[Context, ...], ...]]
    n_stories: int
    n_nan: int

    def of(self, slot: int, kind: str = WRITES) -> tuple[Strength, ...]:
        """The words that write to one slot, or the questions that read it."""
        return tuple(s for s in self.strengths if (s.slot, s.kind) == (slot, kind))

    def verdict(self, slot: int) -> str:
        """The word that writes to a slot most and the question that reads it most, in a sentence."""
        parts = []
        for kind, did in ((WRITES, "written most by"), (READS, "read most by")):
            for s in self.of(slot, kind)[:1]:
                strengths = f"{s.strength.value:.2f}; in other slots {s.in_other_slots.value:.2f}"
                parts.append(f"{did} \u201c{s.text}\u201d ({strengths})")
        return f"Slot {slot} is {' and '.join(parts) or 'neither written nor read'}."

    def summary(self) -> str:
        """For each slot the strongest word and question, with the control and an example."""
        lines = [
            f"Strongest words and questions of each slot in {self.n_stories} stories, chosen on half of them "
            "and measured on the others; strength is share times gate, mean over stories"
        ]
        for kind, by_slot in self.contexts.items():
            for slot, examples in enumerate(by_slot):
                strongest = "; ".join(
                    f"{s.text}, {s.strength}; {s.compared}, {s.in_other_slots.value:.3g} "
                    f"({s.in_other_slots.low:.3g} to {s.in_other_slots.high:.3g}), p = {s.p:.2g}"
                    for s in self.of(slot, kind)[:1]
                )
                example = f"; e.g. {examples[0]}" if examples else ""
                lines.append(f"slot {slot}, {kind}: {strongest or 'nothing'}{example}")
        if self.n_nan:
            lines.append(f"excluded: {self.n_nan} words and questions that are not finite")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per slot, kind and text."""
        return pd.DataFrame(
            {
                "slot": [s.slot for s in self.strengths],
                "kind": [s.kind for s in self.strengths],
                "text": [s.text for s in self.strengths],
                "n_stories": [s.strength.n for s in self.strengths],
                **columns("strength", [s.strength for s in self.strengths]),
                **columns("elsewhere", [s.in_other_slots for s in self.strengths]),
                "compared": [s.compared for s in self.strengths],
                "p": [s.p for s in self.strengths],
            }
        )

    def figure(self) -> go.Figure:
        """A bar for each word and question of each slot, with the control as a mark on it."""
        panels = {}
        for kind in self.contexts:
            chosen = [s for s in self.strengths if s.kind == kind]
            series = {
                "this slot": [s.strength for s in chosen],
                "control: in the other slots": [s.in_other_slots for s in chosen],
            }
            panels[f"slot, {kind}"] = [f"{s.slot}: {s.text}" for s in chosen], series
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

    A word's strength is its share of the slot's update times its input gate. A question's strength is that of
    its strongest word: attention to the slot (mean over heads) times the output gate. Gates are means over
    the width; among several blocks the strongest counts.

    questions : question traces from ``record_questions``, in the order of ``traces``; none: writes only
    n_contexts, n_texts : number of sentences, and of words or questions, for each slot

    Raises
    ------
    UserError
        For missing hooks, traces of different models, fewer than ``MIN_STORIES`` stories, questions about
        other stories, or a model with one slot.
    """
    _check_models(traces, questions)
    writes = collect(written(traces), n_contexts)
    reads = collect(read(questions), n_contexts)
    stories, question_stories = (
        sorted({key for by_story in totals.sums.values() for key in by_story}) for totals in (writes, reads)
    )
    if not set(question_stories) <= set(stories):
        raise UserError(
            "some questions are about stories that are not in the traces; give one question trace per story "
            "trace, in the same order"
        )
    choosing = _half(stories, seed)
    by_kind = {kind: totals for kind, totals in ((WRITES, writes), (READS, reads)) if totals.sums}
    strengths = [s for kind in by_kind for s in _ranked(kind, by_kind[kind].sums, choosing, n_texts)]
    contexts = {kind: totals.contexts for kind, totals in by_kind.items()}
    return TopContexts(tuple(strengths), contexts, len(stories), writes.n_nan + reads.n_nan)


def _check_models(traces: Trace | Sequence[Trace], questions: Trace | Sequence[Trace]) -> None:
    """Refuse questions asked of another model, judged by the first trace of each."""
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
    """For each slot, the texts that are strongest in the choosing stories, measured on the others."""
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
    for slot in track(range(n_slots), f"ranking what each slot is {kind}", "slot"):
        for text in sorted(chosen_by, key=lambda word: -chosen_by[word][slot])[:n_texts]:
            here = measured[text][:, slot]
            in_other_slots = (measured[text].sum(axis=1) - here) / (n_slots - 1)
            yield Strength(
                slot, kind, text, mean(here), mean(in_other_slots), sign_flip_p(here - in_other_slots)
            )
