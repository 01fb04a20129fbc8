"""Reads before and after: distances by hand, what is refused, and self-attention without padding."""

import numpy as np
import pytest

from lm2core.traces.trace import Trace
from lm2viz.figures.read_shift import distances_by_head
from lm2viz.story.read_shift import distances_of_answer, read_pair, self_attention, total_variation

N_BLOCKS, N_HEADS, N_TOKENS, N_SLOTS = 2, 3, 4, 5
WORDS = ["where", "mary", "?"]


def question_trace(rng, words=WORDS):
    """Patterns whose rows sum to 1; the last token is padding."""
    arrays, axes = {}, {}
    for block in range(N_BLOCKS):
        name = f"blocks.{block}.mem.hook_read_pattern"
        pattern = rng.random((1, 1, N_HEADS, N_TOKENS, N_SLOTS))
        arrays[name] = pattern / pattern.sum(-1, keepdims=True)
        axes[name] = ("story", "segment", "head", "token", "slot")
    return Trace(arrays, axes, [[list(words)]])


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    return question_trace(rng), question_trace(rng)


def test_total_variation_by_hand():
    p, q = np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]), np.array([[0.25, 0.5, 0.25], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(total_variation(p, q), [0.25, 1.0])
    np.testing.assert_array_equal(total_variation(p, p), [0.0, 0.0])


def test_the_distance_is_that_of_the_last_word_and_not_of_padding(pair):
    before, after = pair
    result = distances_of_answer(before, after)
    assert result.shape == (N_BLOCKS, N_HEADS)
    for block in range(N_BLOCKS):
        for head in range(N_HEADS):
            rows = [t.arrays[f"blocks.{block}.mem.hook_read_pattern"][0, 0, head, 2] for t in pair]
            assert result[block, head] == pytest.approx(
                0.5 * sum(abs(a - b) for a, b in zip(*rows, strict=True))
            )


def test_a_bank_against_itself_is_at_distance_zero(pair):
    np.testing.assert_array_equal(distances_of_answer(pair[0], pair[0]), np.zeros((N_BLOCKS, N_HEADS)))


def test_two_questions_are_not_compared(pair):
    other = question_trace(np.random.default_rng(1), ["where", "john", "?"])
    with pytest.raises(ValueError, match="different questions"):
        distances_of_answer(pair[0], other)


@pytest.mark.parametrize("head", [None, 1])
def test_the_difference_is_after_minus_before_and_its_rows_sum_to_zero(pair, head):
    move = read_pair(*pair, 1, head)
    assert move.after.shape == (len(WORDS), N_SLOTS)
    np.testing.assert_allclose(move.before + move.difference, move.after)
    np.testing.assert_allclose(move.difference.sum(-1), 0, atol=1e-12)
    np.testing.assert_allclose(move.distances, 0.5 * np.abs(move.difference).sum(-1))


def test_the_mean_over_heads_moves_at_most_as_far_as_the_heads(pair):
    of_heads = distances_of_answer(*pair)[0].mean()
    assert read_pair(*pair, 0, None).distances[-1] <= of_heads + 1e-12


def test_self_attention_is_of_the_words_of_that_segment():
    rng = np.random.default_rng(2)
    pattern = rng.random((1, 2, N_HEADS, N_TOKENS, N_TOKENS))
    name = "blocks.1.attn.hook_pattern"
    axes = {name: ("story", "segment", "attn_head", "token", "source")}
    trace = Trace({name: pattern}, axes, [[["a", "b", "c", "d"], ["e", "f"]]])
    np.testing.assert_array_equal(self_attention(trace, 1, 1, 2), pattern[0, 1, 2, :2, :2])
    np.testing.assert_allclose(self_attention(trace, 1, 1, None), pattern[0, 1].mean(0)[:2, :2])


def test_every_head_of_every_block_has_its_point():
    values = np.arange(N_BLOCKS * N_HEADS).reshape(N_BLOCKS, N_HEADS) / 10
    (points,) = distances_by_head({"moved": values}, blocks=(0, 3)).data
    assert list(points.x[0]) == ["block 0"] * N_HEADS + ["block 3"] * N_HEADS
    assert list(points.x[1]) == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(points.y, values.ravel())
