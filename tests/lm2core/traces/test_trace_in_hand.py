"""A trace at the prompt: it says in a line what it is, and gives several places of an axis."""

import numpy as np
import pytest

from lm2core.errors import UserError
from lm2core.traces.recording import capture
from lm2core.traces.trace import Trace
from tests.conftest import B, S, T, make_ids, make_model

NAME = "blocks.1.mem.hook_bank_post"


@pytest.fixture(scope="module")
def trace() -> Trace:
    return capture(make_model(), make_ids(B, S, T), names="*", info={"model": "babi " * 500})


def test_a_trace_is_shown_by_its_sizes_not_its_arrays(trace):
    text = repr(trace)
    assert len(text) < 1000
    assert f"{B} stories, {S} segments, {len(trace.arrays)} hook points: attn.hook_pattern " in text
    assert "slot 5" in text
    assert text == str(trace)


def test_several_places_keep_their_axis_in_the_order_given(trace):
    array = trace.arrays[NAME]
    assert (trace.select(NAME, slot=[3, 1]) == array[:, :, [3, 1]]).all()
    assert (trace.select(NAME, story=1, slot=range(2), dim=np.array([0, 4])) == array[1][:, :2, [0, 4]]).all()
    assert trace.select(NAME, story=0, segment=1, slot=2).shape == array.shape[3:]


@pytest.mark.parametrize(
    ("slot", "text"),
    [
        ([1, 5], r"slot 5 is outside 0\.\.4"),
        ("13", "slot='13'; give a whole number, or a list of them"),
        ([[1], [2]], r"slot=\[\[1\], \[2\]\]; give a whole number"),
        (1.0, r"slot=1\.0; give a whole number"),
        (slice(2), "give a whole number, or a list of them"),
    ],
)
def test_places_that_are_none_are_refused(trace, slot, text):
    with pytest.raises(UserError, match=text):
        trace.select(NAME, slot=slot)
