"""How many stories a probe needs: accuracy by number of training stories, beside its controls."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.probes import accuracy_lines
from lm2viz.probes.linear import story_folds
from lm2viz.probes.samples import Codes, Samples, Slot, fact_samples, named_facts, untrained_features
from lm2viz.probes.scores import held_out_hits, sources_of, tasks_of
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows

FEWEST = 4  # stories to train on


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Held-out accuracy by number of training stories.

    sizes : training stories, ascending
    accuracy : by name (probe and controls), one estimate a size
    """

    fact: str
    slot: Slot
    n_stories: int
    sizes: tuple[int, ...]
    accuracy: dict[str, tuple[Estimate, ...]]

    def summary(self) -> str:
        """The smallest and the largest size, with their controls."""
        lines = [f"{self.fact}, read from slot: {self.slot}; {self.n_stories} stories"]
        for i in (0, -1):
            text = [f"{name} {values[i].as_share()}" for name, values in self.accuracy.items()]
            lines.append(f"{self.sizes[i]} training stories: {', '.join(text)}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a size and name."""
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
        """Accuracy over training stories, the controls beside it; each doubling is one step."""
        return accuracy_lines(
            np.log2(self.sizes).tolist(),
            {name: np.array([[e.value, e.low, e.high] for e in v]) for name, v in self.accuracy.items()},
            ticks=list(map(str, self.sizes)),
            title="training stories (each doubling is one step)",
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
    """Train on ever more stories and score on the same held-out ones, fold by fold.

    The smaller training sets lie within the larger. Controls: majority, shuffled labels, control task, each
    learnt from the same stories. "best" is chosen on the training stories, however few.

    untrained : rows of the same stories read by an untrained model
    sizes : None doubles from the fewest up to all that a fold leaves

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
            f"training stories must be {FEWEST} to {most} (what a fold leaves), got {list(sizes or ())}; "
            "give other sizes or record more stories"
        )
    doubled = [size for size in FEWEST * 2 ** np.arange(20) if size < most] + [most]
    return tuple(sorted({int(size) for size in sizes or doubled}))


def _training(samples: Samples, fold: Codes, size: int, seed: int) -> list[Codes]:
    """Of each fold, the samples of ``size`` of the other stories, drawn in the same order at every size."""
    training = []
    for k in np.unique(fold):
        order = np.random.default_rng((seed, k)).permutation(np.unique(samples.story[fold != k]))
        training.append(np.flatnonzero(np.isin(samples.story, order[:size])))
    return training
