"""Banks as sums over sentences: exact however they are split."""

from dataclasses import replace

import numpy as np
import pytest

from lm2viz.provenance.decomposition import decompositions, shares, token_shares


@pytest.mark.parametrize("follow", ["copies", "stream"])
def test_the_parts_sum_to_the_bank_after_every_sentence(random, follow):
    trace, _ = random
    for story in (0, 13):
        n_read = len(trace.tokens[story])
        for segment, parts in enumerate(decompositions(trace, story, n_read, follow)):
            bank = trace.select("hook_bank", story=story, segment=segment)
            np.testing.assert_allclose(parts.written.sum(axis=0), bank, atol=2e-6)
            np.testing.assert_allclose((parts.direct + parts.indirect).sum(axis=0), bank, atol=2e-6)
            assert parts.error(bank) < 2e-6
            assert not parts.written[segment + 1 : -1].any()


def test_what_a_sentence_wrote_is_the_bank_of_its_writes_alone(random):
    trace, _ = random
    *_, parts = decompositions(trace, 2, 7, "copies")
    for sentence in range(7):
        alone = np.zeros((5, 12))
        for segment in range(7):
            for block in trace.blocks:
                where = {"story": 2, "segment": segment}
                alone *= trace.select(f"blocks.{block}.mem.hook_gate_forget", **where)
                if segment == sentence:
                    alone += trace.select(f"blocks.{block}.mem.hook_write", **where)
        np.testing.assert_allclose(parts.written[sentence], alone, atol=1e-6)


def test_shares_of_tokens_add_up_to_those_of_their_sentence(random):
    trace, _ = random
    *_, parts = decompositions(trace, 4, 6, "copies")
    bank = trace.select("hook_bank", story=4, segment=5).astype(float)
    by_sentence = np.zeros((6, 5))
    for segment, _, result in token_shares(trace, 4, 6):
        assert result.shape == (len(trace.tokens[4][segment]), 5)
        by_sentence[segment] += result.sum(axis=0)
    np.testing.assert_allclose(by_sentence, shares(parts.written, bank)[:6], atol=1e-6)


def test_a_copy_is_of_the_sentence_that_the_slot_came_from(copied):
    *_, parts = decompositions(copied, 0, 3, "copies")
    bank = copied.select("hook_bank", story=0, segment=2).astype(float)
    third = 1 / 3
    np.testing.assert_allclose(
        shares(parts.written, bank), [[1, 0], [0, 2 * third], [0, third], [0, 0]], atol=1e-6
    )
    np.testing.assert_allclose(shares(parts.direct, bank), [[1, 0], [0, 0], [0, third], [0, 0]], atol=1e-6)
    np.testing.assert_allclose(
        shares(parts.indirect, bank), [[0, 2 * third], [0, 0], [0, 0], [0, 0]], atol=1e-6
    )


def test_tokens_that_copy_nothing_leave_nothing_indirect(random):
    trace, _ = random
    silent = {
        f"blocks.{block}.mem.hook_write_read": np.zeros_like(
            trace.arrays[f"blocks.{block}.mem.hook_write_read"]
        )
        for block in trace.blocks
    }
    *_, parts = decompositions(replace(trace, arrays={**trace.arrays, **silent}), 1, 7, "copies")
    np.testing.assert_allclose(parts.indirect, 0, atol=1e-12)
    np.testing.assert_allclose(parts.direct, parts.written, atol=1e-12)


def test_tokens_that_only_copy_put_nothing_there_themselves(random):
    trace, _ = random
    content = {
        f"blocks.{block}.mem.hook_candidate": np.tanh(
            trace.arrays[f"blocks.{block}.mem.hook_write_read"].astype(float)
        )
        for block in trace.blocks
    }
    *_, parts = decompositions(replace(trace, arrays={**trace.arrays, **content}), 1, 7, "copies")
    np.testing.assert_allclose(parts.direct[:-1], 0, atol=1e-7)
    assert np.abs(parts.indirect).max() > 0.1


def test_following_the_stream_finds_more_that_came_out_of_the_bank(random):
    trace, _ = random
    *_, copies = decompositions(trace, 3, 7, "copies")
    *_, stream = decompositions(trace, 3, 7, "stream")
    np.testing.assert_array_equal(copies.written, stream.written)
    assert np.abs(stream.indirect).sum() > np.abs(copies.indirect).sum()


def test_an_empty_slot_has_no_shares_and_counts_as_start_bank():
    parts = np.zeros((3, 2, 4))
    parts[1, 0] = 2.0
    result = shares(parts, parts.sum(axis=0))
    assert np.isnan(result[:, 1]).all()
    np.testing.assert_array_equal(result[:, 0], [0, 1, 0])


def test_what_is_said_and_copied_alike_is_split_in_half(random):
    trace, _ = random
    content = {
        f"blocks.{block}.mem.hook_candidate": np.tanh(
            2 * trace.arrays[f"blocks.{block}.mem.hook_write_read"].astype(float)
        )
        for block in trace.blocks
    }
    *_, parts = decompositions(replace(trace, arrays={**trace.arrays, **content}), 1, 7, "copies")
    np.testing.assert_allclose(parts.direct[:-1], parts.written[:-1] / 2, atol=1e-7)
