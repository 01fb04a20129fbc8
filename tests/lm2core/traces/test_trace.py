"""Trace: named axes hold, a file is whole or refused, and it opens without torch."""

import json
import subprocess
import sys

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors.numpy import save_file

from lm2core.errors import UserError
from lm2core.traces.trace import Trace

NAME = "blocks.1.mem.hook_bank_post"


@pytest.fixture
def trace() -> Trace:
    bank = np.random.default_rng(0).normal(size=(2, 3, 5, 4)).astype(np.float32)
    return Trace(
        {NAME: bank}, {NAME: ("story", "segment", "slot", "dim")}, [[["a"]] * 3, [["b"]] * 2], {"x": 1}
    )


def test_a_trace_comes_back_as_it_was_saved(trace, tmp_path):
    trace.save(tmp_path / "t.safetensors")
    again = Trace.load(tmp_path / "t.safetensors")
    assert (again.arrays[NAME] == trace.arrays[NAME]).all()
    assert (again.axes, again.tokens, again.info) == (trace.axes, trace.tokens, trace.info)
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_select_goes_by_axis_name(trace):
    assert (trace.select(NAME, slot=4, story=1) == trace.arrays[NAME][1, :, 4]).all()


@pytest.mark.parametrize(
    ("where", "error", "text"),
    [
        ({"head": 0}, UserError, "no axis head; it has: story, segment, slot, dim"),
        ({"slot": 5}, UserError, r"slot 5 is outside 0\.\.4"),
        ({"slot": -1}, UserError, r"slot -1 is outside 0\.\.4"),
    ],
)
def test_a_place_that_is_not_there_is_named(trace, where, error, text):
    with pytest.raises(error, match=text):
        trace.select(NAME, **where)


def test_a_hook_that_was_not_recorded_is_named_with_those_that_were(trace):
    with pytest.raises(UserError, match=f"no 'hook_bank' in this trace; it has: {NAME}"):
        trace.select("hook_bank")


def test_axes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit an array of shape"):
        Trace({"a": np.zeros((2, 3))}, {"a": ("story",)}, [[["w"]]])
    with pytest.raises(ValueError, match="axis slot has size 4, elsewhere 3"):
        axes = ("story", "segment", "slot")
        Trace({"a": np.zeros((1, 1, 3)), "b": np.zeros((1, 1, 4))}, {"a": axes, "b": axes}, [[["w"]]])


@pytest.mark.parametrize("axes", [("slot", "dim"), ("story", "slot"), ("segment", "slot")])
def test_an_array_without_story_or_segment_is_refused(axes):
    with pytest.raises(ValueError, match=f"a: axes .*{axes[0]}.* must have story and segment"):
        Trace({"a": np.zeros((1, 2))}, {"a": axes}, [[["w"]]])


def test_arrays_of_a_trace_cannot_be_changed(trace):
    with pytest.raises(ValueError, match="read-only"):
        trace.arrays[NAME][0] = 0


def test_a_truncated_file_is_refused_in_one_line(trace, tmp_path):
    path = tmp_path / "t.safetensors"
    trace.save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match="not a readable trace file"):
        Trace.load(path)


def test_weights_are_not_taken_for_a_trace(tmp_path):
    save_file({"w": np.zeros(3)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match="expected trace schema 1, got none"):
        Trace.load(tmp_path / "w.safetensors")


def test_another_schema_is_refused(trace, tmp_path):
    meta = {"lm2_trace": json.dumps({"schema": 99})}
    save_file(dict(trace.arrays), tmp_path / "n.safetensors", metadata=meta)
    with pytest.raises(ValueError, match="expected trace schema 1, got 99"):
        Trace.load(tmp_path / "n.safetensors")


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(ValueError, match="make one with: lm2 trace"):
        Trace.load(tmp_path / "none.safetensors")


def test_a_folder_that_cannot_be_written_is_named(trace, tmp_path):
    with pytest.raises(ValueError, match="cannot write .*none/t.safetensors: No such file"):
        trace.save(tmp_path / "none" / "t.safetensors")


def test_a_folder_is_never_replaced_by_a_file(trace, tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis.txt").write_text("years")
    with pytest.raises(ValueError, match="precious: it is a folder; name a file"):
        trace.save(tmp_path / "precious")
    assert (tmp_path / "precious" / "thesis.txt").read_text() == "years"


def test_a_folder_without_permission_is_named(trace):
    with pytest.raises(ValueError, match="cannot write /proc/t.safetensors"):
        trace.save("/proc/t.safetensors")


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        ("[]", "expected trace schema 1, got none"),
        ('{"schema": 1}', "its manifest is broken at 'axes'"),
        ('{"schema": 1, "axes": 3}', "its manifest is broken"),
        ("{", "not a readable trace file"),
    ],
)
def test_a_broken_manifest_is_refused_in_one_line(trace, tmp_path, manifest, text):
    save_file(dict(trace.arrays), tmp_path / "n.safetensors", metadata={"lm2_trace": manifest})
    with pytest.raises(ValueError, match=text):
        Trace.load(tmp_path / "n.safetensors")


@pytest.mark.parametrize("tokens", [[], 3, [3], [["a"], 4], [[["a"]]] * 3, [[["a"]] * 4]])
def test_words_that_do_not_fit_the_axes_are_refused(trace, tokens):
    with pytest.raises(ValueError, match="tokens "):
        Trace(trace.arrays, trace.axes, tokens)


def test_a_full_disk_leaves_the_old_file_and_no_litter(trace, tmp_path, monkeypatch):
    path = tmp_path / "t.safetensors"
    path.write_text("old")

    def full(*_, **__):
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("lm2core.traces.trace.save_file", full)
    with pytest.raises(ValueError, match="No space left on device .*; nothing was written"):
        trace.save(path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.safetensors"]


def test_a_trace_opens_without_torch_or_transformers(trace, tmp_path):
    path = tmp_path / "t.safetensors"
    trace.save(path)
    code = (
        f"import sys; from lm2core import Trace; t = Trace.load({str(path)!r}); import lm2viz.story.select; "
        "print(t.n_segments, sorted({'torch', 'transformers', 'transformer_lens'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "3 []"
