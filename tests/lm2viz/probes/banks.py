"""Rows of the handmade model, in which each slot's fact is known, and rows made by hand."""

import numpy as np
import pandas as pd

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import BankRows, bank_rows
from tests.handmade import handmade_lm, handmade_stories

N_STORIES = 40


def handmade_rows(n=N_STORIES, *, seed=0):
    return bank_rows(
        read_stories(handmade_lm(), handmade_stories(n, n_sentences=7, seed=seed), names=["hook_bank"])
    )


def with_banks(rows, banks):
    return BankRows(banks.astype(np.float32), rows.story, rows.segment, rows.facts, rows.since)


def shuffled_slots(rows, seed=0):
    """Every slot as it is in another story, another one for each slot."""
    rng = np.random.default_rng(seed)
    banks = rows.banks.reshape(rows.n_stories, -1, *rows.banks.shape[1:])
    mixed = [banks[rng.permutation(len(banks)), :, slot] for slot in range(banks.shape[2])]
    return with_banks(rows, np.stack(mixed, axis=2).reshape(rows.banks.shape))


def random_banks(rows, seed=0):
    return with_banks(rows, np.random.default_rng(seed).normal(size=rows.banks.shape))


def table_rows(values, *, n_segments=3, n_slots=2, n_dims=4):
    """Rows of stories of which one fact is known all along: its value by story; None where it is not."""
    n = len(values)
    given = [value for value in values for _ in range(n_segments)]
    return BankRows(
        np.random.default_rng(0).normal(size=(n * n_segments, n_slots, n_dims)).astype(np.float32),
        np.repeat(np.arange(n), n_segments),
        np.tile(np.arange(n_segments), n),
        pd.DataFrame({"mood": given}, dtype=object),
        pd.DataFrame({"mood": [None if value is None else 0 for value in given]}, dtype=object),
    )
