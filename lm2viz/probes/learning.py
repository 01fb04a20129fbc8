"""Learning curve of a probe: accuracy by number of training stories, with its controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.probes import accuracy_lines
from lm2viz.probes.linear import story_folds
from lm2viz.probes.samples import (
    Codes,
    Samples,
    Slot,
    fact_samples,
    named_facts,
    slot_phrase,
    untrained_features,
)
from lm2viz.probes.scores import held_out_hits, sources_of, tasks_of
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows

FEWEST = 4  # stories to train on


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Held-out accuracy by number of training stories.

    sizes : numbers of training stories, ascending
    accuracy : by name (probe and controls), one estimate per size
    """

    fact: str
    slot: Slot
    n_stories: int
    sizes: tuple[int, ...]
    accuracy: dict[str, tuple[Estimate, ...]]

    def summary(self) -> str:
        """Accuracy at the smallest and at the largest size, with the controls."""
        lines = [
            f"Accuracy of decoding {self.fact} from {slot_phrase(self.slot)}, by number of training stories; "
            f"{self.n_stories} stories, 95 % intervals over stories"
        ]
        for i in (0, -1):
            text = [f"{name} {values[i].as_share()}" for name, values in self.accuracy.items()]
            lines.append(f"{self.sizes[i]} training stories: {', '.join(text)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per size and name."""
        return pd.DataFrame(
            {
                "n_training_stories": size,
                "name": name,
                "accuracy": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "n_rows": estimate.n,
                "n_stories": self.n_stories,
            }
            for name, values in self.accuracy.items()
            for size, estimate in zip(self.sizes, values, strict=True)
        )

    def figure(self) -> go.Figure:
        """Accuracy over the number of training stories (logarithmic), with the controls."""
        return accuracy_lines(
            np.log2(self.sizes).tolist(),
            {name: np.array([[e.value, e.low, e.high] for e in v]) for name, v in self.accuracy.items()},
            ticks=list(map(str, self.sizes)),
            title="training stories (log scale)",
            counts=[f"scored on {estimate.n} rows" for estimate in next(iter(self.accuracy.values()))],
        )


def learning_curve(
    rows: BankRows,
    fact: str,
    *,
    untrained: BankRows | None = None,
    slot: Slot = "best",
    sizes: Sequence[int] | None = None,
    n_folds: int = 5,
    seed: int = 0,
) -> LearningCurve:
    """Train probes on more and more stories and score them on the same held-out ones, fold by fold.

    Smaller training sets are subsets of larger ones. Controls: majority, shuffled labels and control task,
    each trained on the same stories, and, if given, an untrained model.

    untrained : rows of the same stories read by an untrained model
    slot : a number, "bank" for all slots together, or "best": chosen on the training stories, however few
    sizes : numbers of training stories; None doubles from ``FEWEST`` up to all that a fold leaves

    Raises
    ------
    UserError
        As ``probe``, and for sizes that the stories do not allow.
    """
    named_facts(rows, [fact])
    samples = fact_samples(rows, fact, n_folds=n_folds, seed=seed)
    fold = story_folds(samples.story, n_folds, seed=seed)
    most = min(len(np.unique(samples.story[fold != k])) for k in range(n_folds))
    chosen = _sizes(sizes, most)
    sources = sources_of(samples, tasks_of(samples), untrained_features(rows, untrained, fact), slot)
    hits = [
        held_out_hits(samples, sources, fold, _training(samples, fold, size, seed), seed=seed)[0]
        for size in track(chosen, "learning", "size")
    ]
    accuracy = {
        name: tuple(mean(at_size[name], groups=samples.story) for at_size in hits) for name in hits[0]
    }
    return LearningCurve(fact, slot, samples.n_stories, chosen, accuracy)


def _sizes(sizes: Sequence[int] | None, most: int) -> tuple[int, ...]:
    if most < FEWEST or any(not FEWEST <= size <= most for size in sizes or ()):
        raise UserError(
            f"sizes must be {FEWEST} to {most} training stories (the stories outside a fold), got "
            f"{list(sizes or ())}; give other sizes or record more stories"
        )
    doubled = [size for size in FEWEST * 2 ** np.arange(20) if size < most] + [most]
    return tuple(sorted({int(size) for size in sizes or doubled}))


def _training(samples: Samples, fold: Codes, size: int, seed: int) -> list[Codes]:
    """For each fold, the samples of ``size`` other stories, drawn in the same order at every size."""
    training = []
    for k in np.unique(fold):
        order = np.random.default_rng((seed, k)).permutation(np.unique(samples.story[fold != k]))
        training.append(np.flatnonzero(np.isin(samples.story, order[:size])))
    return training
