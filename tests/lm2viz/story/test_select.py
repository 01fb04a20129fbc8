"""What pictures show, against sums and places worked out another way from the same trace."""

import numpy as np
import pytest

from lm2core.traces.recording import capture
from lm2viz.story import select
from tests.conftest import D, N, S, T, make_ids, make_model

BLOCKS, HEADS = 3, 3


@pytest.fixture(scope="module")
def trace():
    import torch

    ids, mask = make_ids(2, S, T), torch.ones(2, S, T, dtype=torch.long)
    mask[1, :, T - 2 :] = 0
    return capture(make_model(), ids, mask)


@pytest.mark.parametrize("story", [0, 1])
@pytest.mark.parametrize("segment", [0, S - 1])
def test_strengths_of_the_words_add_up_to_the_slot_s_input_gate(trace, story, segment):
    opened, _ = select.slot_gates(trace, segment, story=story)
    for block in range(BLOCKS):
        strength = select.write_strength(trace, segment, block, story=story)
        assert strength.shape == (T - 2 * story, N)
        np.testing.assert_allclose(strength.sum(axis=0), opened[block], atol=1e-6)


@pytest.mark.parametrize("story", [0, 1])
def test_what_a_sentence_keeps_is_multiplied_over_blocks_before_the_mean_over_the_width(trace, story):
    """Blocks that each keep half of the width keep that half, or nothing, as it is the same or not."""
    product = np.ones((N, D))
    for block in range(BLOCKS):
        product *= trace.select(f"blocks.{block}.mem.hook_gate_forget", story=story, segment=1)
    keep = select.keep_by_sentence(trace, 1, story=story)
    np.testing.assert_allclose(keep, product.mean(axis=1), rtol=1e-5)
    assert not np.allclose(keep, select.slot_gates(trace, 1, story=story)[1].prod(axis=0), rtol=1e-5)


def test_bank_moves_from_before_to_after_by_what_the_blocks_changed(trace):
    before, after, difference = select.bank_before_after(trace, 2)
    assert before.shape == after.shape == (N, D)
    assert (before == trace.select("hook_bank", story=0, segment=1)).all()
    assert (after == trace.select("hook_bank", story=0, segment=2)).all()
    np.testing.assert_allclose(before + difference, after, atol=1e-6)
    assert select.largest_size(before, after) == max(abs(before).max(), abs(after).max())


def test_change_is_the_root_mean_square_of_the_move(trace):
    edited = select.slot_change(trace, 1)
    pre = trace.select("blocks.2.mem.hook_bank_pre", story=0, segment=1, slot=4)
    post = trace.select("blocks.2.mem.hook_bank_post", story=0, segment=1, slot=4)
    assert edited.max() <= 1
    assert edited[2, 4] == pytest.approx(np.linalg.norm(post - pre) / np.sqrt(D), rel=1e-5)


def test_reads_are_the_recorded_pattern_by_head_and_by_token(trace):
    pattern = trace.select("blocks.1.mem.hook_read_pattern", story=0, segment=3)
    by_head, names = select.read_by_head(trace, 5, segment=3)
    assert by_head.shape == (BLOCKS * HEADS, N)
    assert names[HEADS + 2] == "block 1 head 2"
    assert (by_head[HEADS + 2] == pattern[2, 5]).all()
    assert (select.read_by_token(trace, 1, 2, segment=3) == pattern[2]).all()
    np.testing.assert_allclose(select.read_by_token(trace, 1, None, segment=3).sum(-1), np.ones(T), atol=1e-6)


def test_history_of_a_slot_is_its_gate_at_every_sentence(trace):
    history = select.slot_history(trace, 3)
    assert history.shape == (BLOCKS, S)
    for segment in range(S):
        assert (history[:, segment] == select.slot_gates(trace, segment)[0][:, 3]).all()


def test_top_writers_are_the_strongest_words_so_far_in_order(trace):
    writers = select.top_writers(trace, 2, until=2, n=5)
    every = [
        select.write_strength(trace, segment, block)[token, 2]
        for segment in range(2)
        for block in range(BLOCKS)
        for token in range(T)
    ]
    assert [w.strength for w in writers] == pytest.approx(sorted(every, reverse=True)[:5])
    assert {w.segment for w in writers} <= {0, 1}
    best = writers[0]
    place = trace.tokens[0][best.segment].index(best.word)
    assert select.write_strength(trace, best.segment, best.block)[place, 2] == pytest.approx(best.strength)


def test_no_sentence_read_means_no_writer(trace):
    assert select.top_writers(trace, 0, until=0) == []
