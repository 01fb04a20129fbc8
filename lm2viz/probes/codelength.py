"""Online code length of a fact given the memory: how many bits it takes to transmit the fact's values.

Source: Voita and Titov 2020, "Information-Theoretic Probing with Minimum Description Length",
arXiv:2003.12298, online code. Here portions are whole stories, and the first ones are larger, since there are
hundreds of stories and not millions of samples.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2viz.arrays import Array
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.probes import bit_bars
from lm2viz.probes.linear import predict
from lm2viz.probes.samples import (
    Codes,
    Samples,
    Slot,
    fact_samples,
    named_facts,
    slot_phrase,
    untrained_features,
)
from lm2viz.probes.scores import PROBE, SHUFFLED, sources_of
from lm2viz.progress import track
from lm2viz.sample.banks import Banks
from lm2viz.sample.rows import BankRows

PORTIONS = (
    0.02,
    0.04,
    0.08,
    0.16,
    0.32,
    0.64,
    1.0,
)  # cumulative shares of the stories; after each the probe is trained anew
MIN_STORIES = 4  # in the first portion, which is sent with the uniform code


@dataclass(frozen=True, slots=True)
class CodeLength:
    """Bits needed to send the labels of a fact to a receiver who has the slot's content.

    bits : bits per row, by name (probe and controls), with intervals over stories
    uniform : bits per row of the uniform code: log2 of the number of values
    """

    fact: str
    slot: Slot
    n_stories: int
    uniform: float
    bits: dict[str, Estimate]

    def total_bits(self, name: str = PROBE) -> float:
        """Code length of all rows, in bits."""
        return self.bits[name].value * self.bits[name].n

    def compression(self, name: str = PROBE) -> Estimate:
        """Uniform code length over this one; 1 if nothing is decoded, below 1 if it is sure and wrong."""
        bits = self.bits[name]
        return Estimate(self.uniform / bits.value, self.uniform / bits.high, self.uniform / bits.low, bits.n)

    def summary(self) -> str:
        """Code length and compression of the probe, the controls and the uniform code."""
        n = self.bits[PROBE].n
        lines = [
            f"Code length of {self.fact} given {slot_phrase(self.slot)}: {n} rows of {self.n_stories} "
            "stories, 95 % intervals over stories"
        ]
        lines += [
            f"{name}: {self.total_bits(name):.0f} bits; per row {bits}; compression {self.compression(name)}"
            for name, bits in self.bits.items()
        ]
        return "\n".join([*lines, f"uniform code: {self.uniform * n:.0f} bits; per row {self.uniform:.3g}"])

    def table(self) -> pd.DataFrame:
        """One row per code."""
        return pd.DataFrame(
            {
                "code": name,
                "bits": self.total_bits(name),
                "bits_a_row": bits.value,
                "low": bits.low,
                "high": bits.high,
                "uniform_bits_a_row": self.uniform,
                "compression": self.compression(name).value,
                "n_rows": bits.n,
                "n_stories": self.n_stories,
            }
            for name, bits in self.bits.items()
        )

    def figure(self) -> go.Figure:
        """Bits per row of each code, with the uniform code as a line."""
        values = np.array([[bits.value, bits.low, bits.high] for bits in self.bits.values()])
        return bit_bars([*self.bits], values, uniform=self.uniform)


def codelength(
    rows: BankRows, fact: str, *, untrained: BankRows | None = None, slot: Slot = "best", seed: int = 0
) -> CodeLength:
    """Online code length of one fact: each portion of stories is coded by a probe trained on those before it.

    The first portion is sent with the uniform code. Controls: shuffled labels and, if given, an untrained
    model, coded in the same way.

    untrained : rows of the same stories read by an untrained model
    slot : a number, "bank" for all slots together, or "best": chosen on the portions sent so far
    seed : of the order of the stories

    Raises
    ------
    UserError
        As ``probe``; at least ``2 * MIN_STORIES`` stories are needed.
    """
    named_facts(rows, [fact])
    samples = fact_samples(rows, fact, n_folds=MIN_STORIES, seed=seed)
    uniform = log2(len(samples.classes))
    sent = {PROBE: samples.labels, SHUFFLED: samples.shuffled}
    sources = sources_of(samples, sent, untrained_features(rows, untrained, fact), slot)
    bits = {
        name: mean(values, groups=samples.story)
        for features, named in sources
        for name, values in _bits(samples, features, named, uniform, seed).items()
    }
    return CodeLength(fact, slot, samples.n_stories, uniform, bits)


def _bits(
    samples: Samples, features: Banks, named: Mapping[str, Codes], uniform: float, seed: int
) -> dict[str, Array]:
    """Bits of every sample, by the name of its labels, ndarrays of shape (n_samples,)."""
    tasks = np.stack(list(named.values()))
    order = np.random.default_rng(seed).permutation(np.unique(samples.story))
    position = np.empty(int(order.max()) + 1, dtype=int)
    position[order] = np.arange(len(order))
    turn = position[samples.story]  # of each sample, when its story is sent
    ends = sorted({max(MIN_STORIES, ceil(share * len(order))) for share in PORTIONS})
    bits = np.full(tasks.shape, uniform)
    pairs = list(zip(ends[:-1], ends[1:], strict=True))
    for start, end in track(pairs, "coding", "portion"):
        train, test = np.flatnonzero(turn < start), np.flatnonzero((turn >= start) & (turn < end))
        predictions = predict(features, tasks, samples.story, train=train, test=test, seed=seed)
        p_true = np.take_along_axis(predictions.probabilities, tasks[:, test, None], axis=-1)[..., 0]
        bits[:, test] = -np.log2(_never_zero(p_true, len(train), len(samples.classes)))
    return dict(zip(named, bits, strict=True))


def _never_zero(probability: Array, n_seen: int, n_classes: int) -> Array:
    """Mix in the uniform code with the weight of one sample, so that unseen values can be sent."""
    return (n_seen * probability + 1 / n_classes) / (n_seen + 1)
