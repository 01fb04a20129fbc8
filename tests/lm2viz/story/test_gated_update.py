"""The numbers of one gated update are those of the trace, and the update written out adds up."""

import re
from dataclasses import replace

import numpy as np
import pytest

from lm2core.traces.recording import capture
from lm2viz.figures.update import FAINTEST, part_bars, routes
from lm2viz.story import gated_update, select
from tests.conftest import N, S, T, make_ids, make_model

SEGMENT, BLOCK, SLOT, DIM = 2, 1, 3, 7


@pytest.fixture(scope="module")
def trace():
    return capture(make_model(), make_ids(1, S, T))


@pytest.fixture(scope="module")
def update(trace):
    return gated_update.slot_update(trace, SEGMENT, BLOCK, SLOT)


def test_before_keep_write_and_after_are_the_traces_and_obey_the_equation(update, trace):
    hook = f"blocks.{BLOCK}.mem.hook_bank_post"
    np.testing.assert_array_equal(update.after, trace.select(hook, story=0, segment=SEGMENT, slot=SLOT))
    np.testing.assert_allclose(update.keep * update.before + update.write, update.after, atol=1e-6)
    assert update.error() < 1e-6


def test_the_terms_of_the_words_are_the_write_and_their_losses_the_keep(update):
    np.testing.assert_allclose(sum(update.term(t) for t in range(T)), update.write, atol=1e-6)
    np.testing.assert_allclose(1 - sum(update.loss(t) for t in range(T)), update.keep, atol=1e-6)
    np.testing.assert_allclose(update.share @ update.gate_in, update.input_gate, atol=1e-6)


def test_a_slot_claimed_more_than_once_over_is_shared():
    trace = capture(make_model(), make_ids(1, S, T))
    name = f"blocks.{BLOCK}.mem.hook_write_pattern"
    claims = np.zeros_like(trace.arrays[name])
    claims[..., SLOT] = 1.0
    forced = replace(trace, arrays={**trace.arrays, name: claims})
    np.testing.assert_allclose(
        gated_update.slot_update(forced, SEGMENT, BLOCK, SLOT).share, np.full(T, 1 / T)
    )


def test_an_error_is_seen(update):
    assert replace(update, write=update.write + 0.25).error() == pytest.approx(0.25, abs=1e-6)


def test_the_chosen_dimension_is_among_those_that_moved_most(update):
    assert gated_update.SlotUpdate.most_changed_dim(update) in update.most_changed_dims(1)
    still = int(np.abs(update.after - update.before).argmin())
    assert still in update.most_changed_dims(4, with_dim=still)
    assert len(update.most_changed_dims(4, with_dim=still)) == 4


def test_the_most_changed_slot_is_the_one_of_the_largest_move(trace):
    *_, edited = select.bank_before_after(trace, SEGMENT)
    slot = gated_update.most_changed_slot(trace, SEGMENT)
    assert np.linalg.norm(edited[slot]) == max(np.linalg.norm(row) for row in edited)


def numbers(latex: str) -> list[float]:
    """Decimal numbers in the order they are written."""
    return [float(number) for number in re.findall(r"-?\d+\.\d+", latex)]


def test_the_written_equations_hold_for_the_numbers_in_them(update):
    keep, before, write, after = numbers(gated_update.update_latex(update, SLOT, DIM))
    assert keep * before + write == pytest.approx(after, abs=2e-3)
    share, gate, candidate, others, total = numbers(gated_update.write_latex(update, 2, DIM))
    assert share * gate * candidate + others == pytest.approx(total, abs=3e-3)
    assert total == pytest.approx(write, abs=1e-3)
    share, forget, others, total = numbers(gated_update.forget_latex(update, 2, DIM))
    assert 1 - share * (1 - forget) - others == pytest.approx(total, abs=3e-3)
    assert total == pytest.approx(keep, abs=1e-3)


def test_the_tables_hold_means_of_gates_and_norms_of_contents(update):
    table = gated_update.slot_table(update, DIM, edited=update)
    assert table["width"] == table["edited width"]
    rows = table["quantity of the slot"]
    row = dict(zip(rows, zip(table[f"dim {DIM}"], table["width"], strict=True), strict=True))
    assert row["forget gate (share kept)"] == pytest.approx((update.keep[DIM], update.keep.mean()))
    assert row["after M′"] == pytest.approx((update.after[DIM], np.linalg.norm(update.after)))
    assert gated_update.word_table(update, 4, DIM)["width"][0] == pytest.approx(update.share[4])


def test_the_control_slot_is_another_one_and_always_the_same():
    for slot in range(N):
        assert gated_update.control_slot(slot, N) == gated_update.control_slot(slot, N) != slot
        assert 0 <= gated_update.control_slot(slot, N) < N


def test_bars_of_the_parts_are_the_chosen_dimensions_on_a_symmetric_scale(update):
    figure = part_bars({"before": update.before, "after": update.after}, dims=[1, 8])
    assert list(figure.data[1].y) == [update.after[1], update.after[8]]
    low, high = figure.layout.yaxis.range
    assert low == -high


def test_only_connections_above_the_faintest_are_drawn():
    writes, reads = np.zeros((2, N)), np.zeros((3, N))
    writes[1, 4], writes[0, 2], reads[2, 1] = 0.8, FAINTEST / 2, 0.5
    figure = routes(["0:a", "1:b"], writes, ["0:x", "1:y", "2:?"], reads, slot=4)
    lines = [(trace.x, trace.y[1], trace.text[0]) for trace in figure.data if trace.mode == "lines"]
    assert lines == [((0.0, 1.0, None), 4.0, "slot 4: 0.80"), ((2.0, 1.0, None), 1.0, "slot 1: 0.50")]
