"""Effective rank over a story and similarity of slots, beside a fresh bank."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.sample.rows import bank_rows
from lm2viz.stats import bank_stats, effective_rank
from tests.handmade import PLACES, SLOT_OF, handmade_lm, handmade_stories, story_of
from tests.lm2viz.stats.test_gates import untrained_lm

STORIES = [*handmade_stories(6, n_sentences=4), *handmade_stories(5, n_sentences=7, seed=1)]


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), STORIES))


@pytest.fixture(scope="module")
def result(rows):
    return bank_stats(rows)


def test_the_rank_after_each_sentence_is_the_mean_over_stories_that_are_so_long(rows, result):
    ranks = result.variants["model"].ranks
    assert [rank.n for rank in ranks] == [11] * 4 + [5] * 3
    after_six = [effective_rank(bank) for bank, s in zip(rows.banks, rows.segment, strict=True) if s == 5]
    assert ranks[5].value == pytest.approx(np.mean(after_six))
    assert ranks[5].low <= ranks[5].value <= ranks[5].high


def test_a_fresh_bank_uses_every_slot_and_repeats_none(result):
    fresh = result.variants["fresh bank"]
    assert [rank.value for rank in fresh.ranks] == pytest.approx([5.0] * 7)
    assert fresh.redundancy.value == 0


def test_slots_of_people_in_one_place_are_alike():
    """After Mary and John are both in the kitchen, in every story, the other slots being orthogonal."""
    moves = handmade_stories(1)[0].statements[:1]
    kitchen = [replace(moves[0], subject=person, target="kitchen") for person in ("Mary", "John")]
    rows = bank_rows(read_stories(handmade_lm(), [story_of(kitchen, "Mary")] * 2))
    stats = bank_stats(rows.take(rows.segment == 1))
    similarity = stats.variants["model"].similarity
    mary, john = SLOT_OF["Mary"], SLOT_OF["John"]
    assert similarity[mary, john] == pytest.approx(1, abs=1e-4)
    assert stats.variants["model"].redundancy.value == pytest.approx(2 / 20, abs=1e-4)
    assert len(PLACES) == 4


def test_summary_table_and_figures_hold_the_controls(rows, result):
    untrained = bank_rows(
        read_stories(untrained_lm(hidden_size=18, num_attention_heads=3, memory_heads=2), STORIES)
    )
    stats = bank_stats(rows, untrained=untrained)
    table = stats.table()
    assert list(table["variant"].unique()) == ["model", "fresh bank", "untrained"]
    assert (table.groupby("variant").size() == 8).all()
    assert stats.summary().count("untrained") == 3
    lines = [trace.name for trace in stats.figure().data if trace.name]
    assert lines == ["model", "untrained", "fresh bank"]
    assert tuple(stats.figure().layout.yaxis.range) == (0, 5.25)


def test_excluded_banks_are_counted_and_steps_without_any_are_empty(rows):
    gap = rows.take(rows.segment != 2)
    stats = bank_stats(replace(gap, n_nan=11))
    assert "excluded: 11 banks that are not finite" in stats.summary()
    rank = stats.variants["model"].ranks[2]
    assert np.isnan(rank.value) and rank.n == 0


def test_one_story_one_slot_and_other_stories_are_refused(rows):
    with pytest.raises(ValueError, match="got 1 story; an interval over stories needs at least 2"):
        bank_stats(rows.take(rows.story == 0))
    with pytest.raises(ValueError, match="the bank has 1 slot, but similarity needs two"):
        bank_stats(replace(rows, banks=rows.banks[:, :1]))
    with pytest.raises(ValueError, match=r"banks have shape \(5, 18\), untrained banks \(4, 18\)"):
        bank_stats(rows, untrained=replace(rows, banks=rows.banks[:, :4]))
    with pytest.raises(ValueError, match="the models read different stories"):
        bank_stats(rows, untrained=rows.take(rows.story > 0))
