"""The samples of a probe: the rows at which one fact is known, with its labels and those of the controls."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lm2core.errors import UserError
from lm2viz.arrays import Array
from lm2viz.sample.banks import Banks, StoredBanks, slot_parts
from lm2viz.sample.rows import BankRows
from lm2viz.slots.held_out import check_same_stories

Codes = NDArray[np.int_]
Slot = int | Literal["best", "bank"]

NOISE = 1e-6  # share of the bank's spread: float32 has about seven digits, so less is rounding


@dataclass(frozen=True, slots=True)
class Samples:
    """What a probe of one fact is trained and scored on.

    features : of shape (n_samples, n_slots, n_dims), as ``BankRows.banks``
    labels, shuffled, control_task : ndarrays of shape (n_samples,), indices into ``classes``
    story, age : ndarrays of shape (n_samples,); age in sentences since the fact was stated, from 0
    """

    fact: str
    classes: tuple[str, ...]
    features: Banks
    labels: Codes
    shuffled: Codes
    control_task: Codes
    story: Codes
    age: Codes

    @property
    def n_stories(self) -> int:
        """Number of different stories."""
        return len(np.unique(self.story))


def named_facts(rows: BankRows, facts: str | Sequence[str] | None) -> tuple[str, ...]:
    """The facts to probe: ``facts``, or all known ones.

    Raises
    ------
    UserError
        When no fact is known in these rows, or for unknown facts.
    """
    facts = [facts] if isinstance(facts, str) else facts
    known = tuple(rows.facts.columns)
    if not known:
        raise UserError(
            "no facts in the traces; record generated stories, or give a table of facts: --labels FILE, "
            "in Python bank_rows(traces, read_labels(FILE))"
        )
    unknown = [fact for fact in facts or () if fact not in known]
    if unknown:
        raise UserError(f"unknown fact {', '.join(unknown)}; known: {', '.join(known)}")
    return known if facts is None else tuple(facts)


def usable_samples(
    rows: BankRows, facts: str | Sequence[str] | None, *, n_folds: int, seed: int
) -> dict[str, Samples | None]:
    """Samples of each fact; None for a fact that cannot be probed, unless it was requested by name.

    Raises
    ------
    UserError
        As ``named_facts``; as ``fact_samples`` for a fact requested by name, or when no fact can be probed.
    """
    by_fact: dict[str, Samples | None] = {}
    refusal: UserError | None = None
    names, cleaned = named_facts(rows, facts), clean_banks(rows.banks)
    for fact in names:
        try:
            by_fact[fact] = fact_samples(rows, fact, n_folds=n_folds, seed=seed, cleaned=cleaned)
        except UserError as error:
            if facts is not None:
                raise
            by_fact[fact], refusal = None, error
    if refusal is not None and not any(by_fact.values()):
        raise refusal
    return by_fact


def fact_samples(
    rows: BankRows, fact: str, *, n_folds: int, seed: int, cleaned: Banks | None = None
) -> Samples:
    """The samples of one fact: all rows at which it is known.

    cleaned : ``clean_banks`` of the rows, where it has been computed

    Raises
    ------
    UserError
        For fewer than two folds, fewer than two stories per fold, or a single value.
    """
    known = np.flatnonzero(rows.facts[fact].notna())
    codes, classes = pd.factorize(rows.facts[fact].iloc[known], sort=True)
    story = rows.story[known]
    n_stories = len(np.unique(story))
    if not n_stories:
        raise UserError(f"{fact}: not known in any of these rows; record stories that state it")
    if n_folds < 2:
        raise UserError(f"got {n_folds} folds; at least 2 are needed")
    if n_stories < 2 * n_folds:
        raise UserError(
            f"{fact}: got {n_stories} stories, but {n_folds} folds need at least {2 * n_folds}, two each; "
            "record more stories"
        )
    if len(classes) < 2:
        raise UserError(
            f"{fact}: always {classes[0]!r} in {len(known)} rows of {n_stories} stories, but a probe needs "
            "at least two values; record more stories"
        )
    rng = np.random.default_rng(seed)
    return Samples(
        fact,
        tuple(map(str, classes)),
        (clean_banks(rows.banks) if cleaned is None else cleaned)[known],
        codes,
        shuffle_stories(codes, story, rng),
        control_labels(_sentence_ids(rows)[known], codes, rng),
        story,
        rows.segment[known] - rows.since[fact].iloc[known].to_numpy(dtype=int),
    )


def untrained_features(rows: BankRows, untrained: BankRows | None, fact: str) -> Banks | None:
    """``Samples.features`` of an untrained model at the same rows; None without its rows.

    Raises
    ------
    UserError
        For untrained rows of other stories.
    """
    if untrained is None:
        return None
    check_same_stories(rows, untrained)
    return clean_banks(untrained.banks)[rows.facts[fact].notna().to_numpy()]


def clean_banks(banks: Banks) -> Banks:
    """Banks centred and divided by their largest spread; zero in dimensions that vary by rounding only.

    Probes standardise their features, which would blow rounding errors up to full size.
    """
    means, spreads = [], []
    for part in slot_parts(banks):
        values = banks[:, part]
        means.append(values.mean(axis=0, dtype=float))
        spreads.append(values.std(axis=0, dtype=float))
    mean, spread = np.concatenate(means), np.concatenate(spreads)
    largest = spread.max()

    def clean(values: Array, slots: Any) -> Array:
        scaled = (values - mean[slots]) / (largest or 1.0)
        scaled[:, spread[slots] <= NOISE * largest] = 0.0
        return scaled

    return banks.changed(clean) if isinstance(banks, StoredBanks) else clean(banks[:], slice(None))


def shuffle_stories(labels: Codes, story: Codes, rng: np.random.Generator) -> Codes:
    """Give every story the labels of another one, in order, stretched to its length.

    Whole stories are exchanged because labels persist from sentence to sentence; shuffling single rows would
    be an easier null hypothesis. Each story takes the labels of the next longer one (ties at random, the
    longest those of the shortest), so every story's labels are used once and label frequencies are kept up to
    the stretching. Needs two stories.
    """
    members = [np.flatnonzero(story == name) for name in np.unique(story)]
    mixed = [members[i] for i in rng.permutation(len(members))]
    by_length = sorted(mixed, key=len)
    shuffled = labels.copy()
    for taker, donor in zip(by_length, by_length[1:] + by_length[:1], strict=True):
        shuffled[taker] = labels[donor[np.arange(len(taker)) * len(donor) // len(taker)]]
    return shuffled


def control_labels(sentence_ids: Codes, labels: Codes, rng: np.random.Generator) -> Codes:
    """A control task: one random label for each distinct sentence, wherever it occurs.

    Source: Hewitt and Liang 2019, arXiv:1909.03368; their type is a word, ours what the last sentence stated.
    Labels are dealt to types in random order, about as often as the fact's own labels occur.

    sentence_ids : ndarray of shape (n_samples,), the type of each sample
    """
    types, members, counts = np.unique(sentence_ids, return_inverse=True, return_counts=True)
    order = rng.permutation(len(types))
    # midpoint of each type's share of the samples
    middle = (np.cumsum(counts[order]) - counts[order] / 2) / len(sentence_ids)
    dealt = np.empty(len(types), dtype=int)
    dealt[order] = np.searchsorted(np.cumsum(np.bincount(labels)) / len(labels), middle)
    return dealt[members]


def _sentence_ids(rows: BankRows) -> Codes:
    """An id of what the last sentence of each row stated: the facts known since then, with their values."""
    is_new = rows.since.eq(pd.Series(rows.segment), axis=0)
    stated = rows.facts.where(is_new)
    return stated.groupby(list(stated.columns), dropna=False, sort=False).ngroup().to_numpy()


def slot_phrase(slot: Slot) -> str:
    """A slot in words: "slot 3", "the best slot" or "the whole bank"."""
    phrases: dict[Slot, str] = {"best": "the best slot", "bank": "the whole bank"}
    return phrases.get(slot, f"slot {slot}")
