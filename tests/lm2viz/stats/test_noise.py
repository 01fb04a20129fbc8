"""The gate on facts and on background: values by hand, length, intervals by sentence, and what is absent."""

import numpy as np
import pytest

from lm2core.traces.trace import Trace
from lm2viz.figures.noise import gate_strips
from lm2viz.stats.noise import BACKGROUND, EVERY_SLOT, EVERY_WORD, FACTS, WIDEST, gate_contrast, segment_gates

N_TOKENS, N_SLOTS, N_DIMS = 4, 3, 5
HOOKS = {"hook_gate_in": ("slot", "dim"), "hook_gate_in_token": ("token", "dim")}


def long_trace(slots, words, facts, pieces=None):
    """One block; ``slots`` (n_segments, n_slots), ``words`` (a list a segment) hold for all dimensions."""
    padded = [[*row, *[0.9] * (N_TOKENS - len(row))] for row in words]  # what padding holds must not count
    arrays = {
        f"blocks.2.mem.{hook}": np.repeat(np.array(values, float)[None, :, :, None], N_DIMS, axis=-1)
        for hook, values in (("hook_gate_in", slots), ("hook_gate_in_token", padded))
    }
    axes = {f"blocks.2.mem.{hook}": ("story", "segment", *names) for hook, names in HOOKS.items()}
    pieces = range(len(facts)) if pieces is None else pieces
    segments = [
        {"text": f"s{i}", "piece": p, "fact": f} for i, (f, p) in enumerate(zip(facts, pieces, strict=True))
    ]
    return Trace(arrays, axes, [[["w"] * len(row) for row in words]], {"segments": segments})


@pytest.fixture
def trace():
    return long_trace([[0.8, 0.1, 0.0], [0.3, 0.3, 0.3]], [[0.2, 0.4], [0.1, 0.2, 0.6, 0.3]], [0, None])


@pytest.mark.parametrize(
    ("measure", "expected"),
    [(EVERY_WORD, [0.3, 0.3]), (WIDEST, [0.8, 0.3]), (EVERY_SLOT, [0.3, 0.3])],
)
def test_each_measure_is_what_it_says_by_hand(trace, measure, expected):
    np.testing.assert_allclose(segment_gates(trace, measure), [expected])


def test_an_unknown_measure_is_named_with_the_known_ones(trace):
    with pytest.raises(ValueError, match="unknown measure 'slots'; known: By word, Widest slot, All slots"):
        segment_gates(trace, "slots")


def test_a_planted_difference_is_found_and_the_control_has_none():
    rng = np.random.default_rng(0)
    facts = [i if i < 9 else None for i in range(40)]
    opened = np.where(np.array([f is not None for f in facts]), 0.6, 0.2)[:, None] + rng.normal(
        0, 0.02, (40, 3)
    )
    even = 0.5 + rng.normal(0, 0.02, (40, 3))
    words = [[0.5]] * 40
    result = gate_contrast(long_trace(opened, words, facts), long_trace(even, words, facts), WIDEST)
    assert result.estimate(2, FACTS).low > result.estimate(2, BACKGROUND).high + 0.3
    assert (result.estimate(2, FACTS).n, result.estimate(2, BACKGROUND).n) == (9, 31)
    control = [result.estimate(2, kind, untrained=True) for kind in (FACTS, BACKGROUND)]
    assert abs(control[0].value - control[1].value) < 0.03
    assert "block 2: facts 0.6" in result.summary()
    assert list(result.table()["n"]) == [9, 9, 31, 31]


def test_parts_of_one_sentence_are_drawn_together():
    """Eight parts of two sentences: drawn one by one, they would give too narrow an interval."""
    slots = [[v] * 3 for v in (0.1, 0.7) for _ in range(4)]
    words, facts = [[0.5]] * 8, [None] * 8
    parts = long_trace(slots, words, facts, pieces=[0] * 4 + [1] * 4)
    e = gate_contrast(parts, parts, EVERY_SLOT).estimate(2, BACKGROUND)
    assert (e.low, e.high) == (pytest.approx(0.1), pytest.approx(0.7))


def test_a_text_without_background_has_no_figure_for_it():
    alone = long_trace([[0.5, 0.2, 0.1]] * 2, [[0.4]] * 2, [0, 1])
    contrast = gate_contrast(alone, alone, WIDEST)
    assert contrast.estimate(2, BACKGROUND) is None
    assert set(contrast.table()["segments"]) == {FACTS}
    contrast.figure()


def test_two_texts_are_not_compared(trace):
    other = long_trace([[0.8, 0.1, 0.0]], [[0.2, 0.4]], [0])
    with pytest.raises(ValueError, match="different texts"):
        gate_contrast(trace, other, WIDEST)


def test_strips_keep_the_order_of_the_text_and_mark_facts():
    is_fact = np.array([False, True, False])
    figure = gate_strips(
        np.array([[0.1, 0.9, 0.3]]), is_fact, blocks=[2], texts=["a", "<b>", "c"], unit="by word"
    )
    bars = {bar.name: bar for bar in figure.data if bar.type == "bar"}
    assert list(bars["background"].x) == [1, 3]
    assert list(bars["fact"].x) == [2]
    assert bars["fact"].width == bars["background"].width <= 1  # of one place each, however far apart
    assert bars["fact"].text[0] == "&lt;b&gt;"
    (marks,) = (t for t in figure.data if t.type == "scatter")
    assert list(marks.x) == [2]
