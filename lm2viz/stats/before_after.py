"""Where a question's words attend in the bank before and after memory updates, over many stories.

Follows figure 6 of Kang et al. 2025, arXiv:2502.06049, and adds what it does not state: block and head, the
numbers of updates and stories, intervals and a control. The distance between two attention patterns is their
total variation, in [0, 1]: the share of attention that would have to move.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, Estimates, by_story, columns, mean
from lm2viz.figures.before_after import before_after_panels
from lm2viz.figures.lines import Series
from lm2viz.stats.question_reads import Reads, ReadSpec, at_time, question_of, reads_of
from lm2viz.story.read_shift import total_variation

BEFORE_TO_AFTER, OTHER_STORY, UNTRAINED = (
    "before to after",
    "other story's bank",
    "untrained, before to after",
)


@dataclass(frozen=True, slots=True)
class ReadComparison:
    """Attention of a question's words over the slots, at two points of the same stories.

    text : the question
    distances : total variation between the two reads, and the controls, each of shape (n_words,)
    means : the same, averaged over words
    """

    spec: ReadSpec
    model: str
    text: str
    reads: Reads
    distances: Mapping[str, Estimates]
    means: Mapping[str, Estimate]
    seed: int

    def summary(self) -> str:
        """How far the read moved, overall and for each word, with the controls; and the largest change."""
        spec, n = self.spec, len(self.reads.stories)
        head = "mean over heads" if spec.head is None else f"head {spec.head}"
        lines = [
            f"{self.text!r} {at_time(spec.before)} and {at_time(spec.after)}, {self.model}, "
            f"block {spec.block}, {head}; {n} stories, 95 % intervals over stories"
        ]
        if self.reads.n_nan:
            lines.append(f"excluded: {self.reads.n_nan} stories with a read that is not finite")
        parts = (f"{name} {e}" for name, e in self.means.items())
        lines.append(f"total variation distance, mean over words: {'; '.join(parts)}")
        for i, word in enumerate(self.reads.words):
            parts = (f"{name} {d.at(i)}" for name, d in self.distances.items())
            lines.append(f"  {i}:{word}: {'; '.join(parts)}")
        lines.append(self._largest_change())
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per word and slot: attention before and after, and the change, each with its interval."""
        before, after = (self._over_stories(x) for x in (self.reads.before, self.reads.after))
        change = self._over_stories(self.reads.after - self.reads.before)
        word, slot = (x.ravel() for x in np.indices(before.value.shape))
        return pd.DataFrame(
            {
                "word": [f"{i}:{self.reads.words[i]}" for i in word],
                "slot": slot,
                **columns("before", before),
                **columns("after", after),
                "change": change.value.ravel(),
                "low": change.low.ravel(),
                "high": change.high.ravel(),
                "n": change.n,
            }
        )

    def figure(self) -> go.Figure:
        """Mean attention before and after, the difference, and the distance for each word."""
        distances = [Series(name, d.value, d.low, d.high) for name, d in self.distances.items()]
        return self._panels(self.reads.before.mean(axis=0), self.reads.after.mean(axis=0), distances)

    def _largest_change(self) -> str:
        """The largest change, chosen on every second story and measured on the others: no selection bias."""
        change = self.reads.after - self.reads.before
        typical = np.abs(change.mean(axis=0)).mean()
        choosing, measuring = change[::2].mean(axis=0), change[1::2]
        word, slot = (int(i) for i in np.unravel_index(np.abs(choosing).argmax(), choosing.shape))
        largest = mean(measuring[:, word, slot], seed=self.seed)
        return (
            f"largest change: {word}:{self.reads.words[word]} at slot {slot}, {largest} "
            f"(chosen on every second story, measured on the others); mean |change| of all words and slots "
            f"{typical:.3g}"
        )

    def _panels(self, before: Array, after: Array, distances: Sequence[Series]) -> go.Figure:
        words = [f"{i}:{word}" for i, word in enumerate(self.reads.words)]
        titles = [at_time(n) for n in (self.spec.before, self.spec.after)]
        return before_after_panels(before, after, distances, words=words, titles=titles)

    def _over_stories(self, values: Array) -> Estimates:
        return by_story(values, np.array(self.reads.stories), seed=self.seed)


def compare_reads(
    question_trace: Trace, spec: ReadSpec, *, untrained: Trace | None = None, seed: int = 0
) -> ReadComparison:
    """Compare what a question reads before and after memory updates, in all stories that have both.

    The control is the distance between reads from the banks of two different stories, both after
    ``spec.after`` sentences: the effect of an unrelated past.

    Parameters
    ----------
    question_trace : from ``record_questions``; ``replace_questions`` sets the question and the times
    untrained : the same for an untrained model

    Raises
    ------
    UserError
        For a trace without questions or read patterns (naming what records them), a block, head, question or
        time that it does not have (naming those it has), or fewer than two stories.
    """
    text = question_of(question_trace, spec)
    reads = reads_of(question_trace, spec, text)
    changes, others = (
        total_variation(reads.before, reads.after),
        total_variation(reads.after, np.roll(reads.after, 1, axis=0)),
    )
    measured = {BEFORE_TO_AFTER: (changes, reads.stories), OTHER_STORY: (others, reads.stories)}
    if untrained is not None:
        control = reads_of(untrained, spec, text)
        if control.words != reads.words:
            raise UserError(
                f"words {reads.words}, untrained {control.words}; use a model with the same tokenizer"
            )
        measured[UNTRAINED] = total_variation(control.before, control.after), control.stories
    return ReadComparison(
        spec=spec,
        model=str(question_trace.info.get("model", "a model without a name")),
        text=text,
        reads=reads,
        distances={name: by_story(d, np.array(b), seed=seed) for name, (d, b) in measured.items()},
        means={name: mean(d.mean(axis=1), groups=b, seed=seed) for name, (d, b) in measured.items()},
        seed=seed,
    )
