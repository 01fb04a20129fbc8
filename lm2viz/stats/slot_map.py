"""A map of slots: principal components of their contents, fitted on some stories and drawn for others.

Components mean nothing by themselves. The control of each explained share is that of the same values shuffled
within each dimension; the control of the silhouette is that of labels permuted within each story.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from sklearn.metrics import pairwise_distances, silhouette_samples
from sklearn.model_selection import GroupShuffleSplit

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, Estimates, by_story, mean, over_draws
from lm2viz.figures.lines import Series
from lm2viz.figures.scatter import Cloud, cloud_with_shares, path_over_cloud
from lm2viz.progress import track
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_same_stories
from lm2viz.stats.pca import SLOT, Projection, SlotPCA

MODEL, SHUFFLED, UNTRAINED = "model", "shuffled", "untrained"
N_SHUFFLES = 20
MIN_STORIES = 4  # two to fit on, two to draw


@dataclass(frozen=True, slots=True)
class Variant:
    """The model, or one of its controls.

    shares : share of the drawn points' variance that each component explains, in [0, 1]
    silhouette : in [-1, 1], over points whose value is known; 1: values form separate clusters, 0: mixed
    """

    shares: Estimates
    silhouette: Estimate


@dataclass(frozen=True, slots=True)
class SlotMap:
    """Slots of held-out stories, projected on components fitted to other stories, coloured by ``fact``."""

    fact: str
    slots: tuple[int, ...]
    plotted: Projection
    variants: Mapping[str, Variant]
    n_fit_stories: int
    n_nan: int

    @property
    def about(self) -> str:
        """How it was measured, and what was excluded."""
        n_drawn = self.plotted.rows["story"].nunique()
        excluded = f"; excluded: {self.n_nan} banks that are not finite" if self.n_nan else ""
        return (
            f"Slots {list(self.slots)} coloured by {self.fact}: components fitted on {self.n_fit_stories} "
            f"stories, {len(self.plotted.rows)} points of {n_drawn} other stories; 95 % intervals over "
            f"stories, for {SHUFFLED} over draws{excluded}"
        )

    @property
    def finding(self) -> str:
        """How well the values of the fact separate, with the controls."""
        text = (f"{name} {v.silhouette}" for name, v in self.variants.items())
        return f"silhouette by {self.fact}: {'; '.join(text)}"

    @property
    def verdict(self) -> str:
        """Whether contents with one value of the fact lie together, beside a control, in a sentence."""
        control = UNTRAINED if UNTRAINED in self.variants else SHUFFLED
        own, other = (self.variants[name].silhouette for name in (MODEL, control))
        is_apart = own.low > max(other.high, 0.0)
        which = f"slot{'s' if len(self.slots) > 1 else ''} {', '.join(map(str, self.slots))}"
        lie = "lie together" if is_apart else "do not lie together"
        return (
            f"In {which}, contents with the same {self.fact} {lie}: silhouette {own.value:.2f} of at most 1; "
            f"{control}, {other.value:.2f}."
        )

    def summary(self) -> str:
        """The verdict, then explained shares and silhouette, each with its controls."""
        lines = [self.verdict, self.about]
        for i in range(self.plotted.coordinates.shape[1]):
            text = (f"{name} {v.shares.at(i).as_share()}" for name, v in self.variants.items())
            lines.append(f"variance explained by component {i + 1}: {'; '.join(text)}")
        return "\n".join([*lines, self.finding])

    def table(self) -> pd.DataFrame:
        """One row per measure and variant."""
        rows = []
        for name, variant in self.variants.items():
            shares = [variant.shares.at(i) for i in range(len(variant.shares.value))]
            measures = {f"share of component {i + 1}": share for i, share in enumerate(shares)}
            for measure, e in (measures | {"silhouette": variant.silhouette}).items():
                rows.append((measure, name, e.value, e.low, e.high, e.n))
        return pd.DataFrame(rows, columns=["figure", "variant", "value", "low", "high", "n"])

    def figure(self) -> go.Figure:
        """The first two components, and the variance each explains, with the controls."""
        return self._figure(2)

    def figure_3d(self) -> go.Figure:
        """The first three components; a UserError if fewer were fitted."""
        return self._figure(3)

    def path(self, story: int, slot: int) -> go.Figure:
        """The path of one slot through one story, numbered by sentences read; other points are grey.

        Raises
        ------
        UserError
            For a story that is not on the map (naming some that are) or a slot that was not chosen.
        """
        rows = self.plotted.rows
        stories = rows["story"].unique()
        if story not in stories or slot not in self.slots:
            some = ", ".join(map(str, stories[:10]))
            raise UserError(
                f"slot {slot} of story {story} is not on the map; it has slots {list(self.slots)} of stories "
                f"{some}" + (f" and {len(stories) - 10} more" if len(stories) > 10 else "")
            )
        is_on_path = ((rows["story"] == story) & (rows["slot"] == slot)).to_numpy()
        steps = rows["segment"].to_numpy()[is_on_path] + 1
        title = f"Slot {slot} through story {story}; numbers are sentences read"
        return path_over_cloud(self._cloud(2), is_on_path, steps, axes=self._axes(2), title=title)

    def _figure(self, n_axes: int) -> go.Figure:
        shares = [
            Series(name, v.shares.value, v.shares.low, v.shares.high) for name, v in self.variants.items()
        ]
        text = ", ".join(f"{name} {v.silhouette.value:.2f}" for name, v in self.variants.items())
        title = f"{self.fact}; silhouette: {text}"
        return cloud_with_shares(self._cloud(n_axes), shares, axes=self._axes(n_axes), title=title)

    def _axes(self, n_axes: int) -> list[str]:
        n_components = self.plotted.coordinates.shape[1]
        if n_axes > n_components:
            raise UserError(
                f"a plot of {n_axes} axes needs as many components, got {n_components}; "
                f"use n_components={n_axes}"
            )
        shares = self.variants[MODEL].shares.value
        return [f"component {i + 1} ({shares[i]:.0%})" for i in range(n_axes)]

    def _cloud(self, n_axes: int) -> Cloud:
        values = _values(self.plotted.rows, self.fact)
        places = self.plotted.rows[["story", "segment", "slot"]].itertuples(index=False)
        hover = [
            f"story {story}, sentence {segment + 1}, slot {slot}: {value or 'not known'}"
            for (story, segment, slot), value in zip(places, values, strict=True)
        ]
        return Cloud(self.plotted.coordinates[:, :n_axes], values, hover)


def map_slots(
    rows: BankRows,
    fact: str,
    *,
    slots: Sequence[int],
    n_components: int = 3,
    untrained: BankRows | None = None,
    seed: int = 0,
) -> SlotMap:
    """Fit components on half of the stories, project the other half, and measure how well a fact separates.

    Parameters
    ----------
    fact : a column of ``rows.facts``, or "slot" to colour by slot
    slots : the slots to draw, each as a point of its own
    untrained : the same stories read by an untrained model, as a further control

    Raises
    ------
    UserError
        As ``SlotPCA``; for too few stories, an unknown fact (naming the known ones) or one with a single
        value, or other stories in ``untrained``.
    """
    _check(rows, fact)
    fit_stories = _half_of_stories(rows, seed)
    pca, plotted, variant = _variant(rows, fact, fit_stories, SlotPCA(slots, n_components=n_components), seed)
    variants = {MODEL: variant, SHUFFLED: _shuffled(rows, fact, fit_stories, pca, seed)}
    if untrained is not None:
        check_same_stories(rows, untrained)
        control = SlotPCA(slots, n_components=n_components)
        variants[UNTRAINED] = _variant(untrained, fact, fit_stories, control, seed)[2]
    return SlotMap(fact, pca.slots, plotted, variants, len(fit_stories), rows.n_nan)


def _check(rows: BankRows, fact: str) -> None:
    if rows.n_stories < MIN_STORIES:
        raise UserError(
            f"{rows.n_stories} stories are too few to fit some and draw others; give at least {MIN_STORIES}"
        )
    if fact != SLOT and fact not in rows.facts:
        known = (
            ", ".join(map(str, rows.facts.columns))
            or "none; use generated stories, or --labels FILE; in Python bank_rows(traces, read_labels(FILE))"
        )
        raise UserError(f"unknown fact {fact!r}; known: {known}; or {SLOT!r}")


def _half_of_stories(rows: BankRows, seed: int) -> NDArray[np.integer]:
    split = GroupShuffleSplit(1, test_size=0.5, random_state=seed)
    fit_rows, _ = next(split.split(rows.story, groups=rows.story))
    return np.unique(rows.story[fit_rows])


def _variant(
    rows: BankRows, fact: str, fit_stories: NDArray[np.integer], pca: SlotPCA, seed: int
) -> tuple[SlotPCA, Projection, Variant]:
    is_fit = np.isin(rows.story, fit_stories)
    pca.fit(rows.take(is_fit))
    held_out = rows.take(~is_fit)
    plotted = pca.transform(held_out)
    squared, total = pca.squares(pca.features(held_out))
    shares = by_story(squared, plotted.rows["story"].to_numpy(), weights=total, seed=seed)
    distances, labels, story = _known(plotted, fact)
    silhouette = mean(_silhouettes(distances, labels), groups=story, seed=seed)
    return pca, plotted, Variant(shares, silhouette)


def _shuffled(
    rows: BankRows, fact: str, fit_stories: NDArray[np.integer], pca: SlotPCA, seed: int
) -> Variant:
    """Shares for values shuffled within each dimension; silhouettes for labels permuted within each story."""
    rng = np.random.default_rng(seed)
    is_fit = np.isin(rows.story, fit_stories)
    fit, held_out = (pca.features(rows.take(mask)) for mask in (is_fit, ~is_fit))
    shares = []
    for _ in track(range(N_SHUFFLES), "fitting shuffled values", "draw"):
        other = SlotPCA(pca.slots, n_components=pca.n_components).fit_features(rng.permuted(fit, axis=0))
        squared, total = other.squares(rng.permuted(held_out, axis=0))
        shares.append(squared.sum(axis=0) / total.sum())
    distances, labels, story = _known(pca.transform(rows.take(~is_fit)), fact)
    renamed = (_renamed(labels, story, rng) for _ in track(range(N_SHUFFLES), "permuting labels", "draw"))
    silhouettes = np.array([_silhouettes(distances, names).mean() for names in renamed])
    return Variant(over_draws(np.array(shares)), over_draws(silhouettes).at())


def _known(plotted: Projection, fact: str) -> tuple[Array, NDArray[np.integer], NDArray[np.integer]]:
    """Distances between the points whose value is known, their values as codes, and their stories."""
    values = _values(plotted.rows, fact)
    is_known = np.array([value is not None for value in values])
    names, labels = np.unique([value for value in values if value is not None], return_inverse=True)
    if len(names) < 2:
        raise UserError(
            f"{fact} has the values {names.tolist()} in the drawn stories, but at least two are needed; "
            "give more stories, more slots or another fact"
        )
    distances = pairwise_distances(plotted.coordinates[is_known])
    return distances, labels, plotted.rows["story"].to_numpy()[is_known]


def _silhouettes(distances: Array, labels: NDArray[np.integer]) -> Array:
    """Silhouette of each point; all 0 where it is undefined: one value only, or a different one for each."""
    if not 1 < len(np.unique(labels)) < len(labels):
        return np.zeros(len(labels))
    values: Array = silhouette_samples(distances, labels, metric="precomputed")
    return values


def _renamed(
    labels: NDArray[np.integer], story: NDArray[np.integer], rng: np.random.Generator
) -> NDArray[np.integer]:
    """The labels, permuted anew in each story; equal labels within a story stay equal."""
    _, group = np.unique(story, return_inverse=True)
    names = np.tile(np.arange(labels.max() + 1), (group.max() + 1, 1))
    renamed: NDArray[np.integer] = rng.permuted(names, axis=1)[group, labels]
    return renamed


def _values(rows: pd.DataFrame, fact: str) -> list[str | None]:
    return [None if pd.isna(value) else str(value) for value in rows[fact]]
