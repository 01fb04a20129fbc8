"""A trace may keep less than a run has, says so, and goes to its file while the model runs."""

import errno
import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lm2core.errors import UserError
from lm2core.reading.answers import bank_after
from lm2core.traces import array_file
from lm2core.traces.mapped_arrays import MappedArrays
from lm2core.traces.recording import capture, trace_bytes
from lm2core.traces.reductions import Reduction
from lm2core.traces.trace import Trace
from lm2viz.sample.rows import as_traces
from lm2viz.story.report import report_pictures
from tests.conftest import make_model

MODEL = make_model()
IDS = torch.randint(2, MODEL.config.vocab_size, (2, 3, 4), generator=torch.Generator().manual_seed(0))
NAMES = ("mem.*", "attn.hook_pattern", "hook_bank")
BLOCK = MODEL.config.memory_blocks[0]
READ, GATE = (f"blocks.{BLOCK}.mem.{hook}" for hook in ("hook_read_pattern", "hook_gate_forget"))


@pytest.fixture(scope="module")
def whole():
    return capture(MODEL, IDS, names=NAMES)


@pytest.mark.parametrize("to_a_file", [False, True])
def test_what_is_kept_is_that_part_of_the_whole_trace(whole, to_a_file, tmp_path):
    kept = Reduction(mean_heads=True, mean_width=True, slots=(0, 3), tokens=(1, 3))
    to = tmp_path / "t.safetensors" if to_a_file else None
    trace = capture(MODEL, IDS, names=NAMES, reduce=kept, to=to)
    assert trace.axes[READ] == ("story", "segment", "token", "slot")
    assert trace.axes[GATE] == ("story", "segment", "slot")
    read = whole.select(READ, slot=[0, 3], token=[1, 3]).mean(axis=2)
    np.testing.assert_allclose(trace.arrays[READ], read, atol=1e-6)
    np.testing.assert_allclose(trace.arrays[GATE], whole.select(GATE, slot=[0, 3]).mean(axis=-1), atol=1e-6)
    np.testing.assert_allclose(trace.arrays["hook_bank"], whole.select("hook_bank", slot=[0, 3]), atol=1e-6)
    own = f"blocks.{BLOCK}.attn.hook_pattern"  # the sources of a kept token stay
    np.testing.assert_allclose(trace.arrays[own], whole.select(own, token=[1, 3]).mean(axis=2), atol=1e-6)
    assert trace.tokens == [[[words[1], words[3]] for words in story] for story in whole.tokens]
    assert trace_bytes(MODEL, IDS.shape, list(trace.arrays), kept) == sum(
        np.asarray(array).nbytes for array in trace.arrays.values()
    )


def test_a_trace_recorded_to_its_file_is_the_one_that_was_in_memory(whole, tmp_path):
    to = tmp_path / "t.safetensors"
    trace = capture(MODEL, IDS, names=NAMES, to=to)
    assert isinstance(trace.arrays, MappedArrays)
    assert (trace.axes, trace.tokens, trace.info) == (whole.axes, whole.tokens, whole.info)
    for name, array in whole.arrays.items():
        np.testing.assert_array_equal(trace.arrays[name], array)
    assert [p.name for p in tmp_path.iterdir()] == [to.name]


def test_bfloat16_takes_half_the_bytes_and_keeps_eight_bits(whole, tmp_path):
    halved = Reduction(dtype="bfloat16")
    trace = capture(MODEL, IDS, names=NAMES, reduce=halved, to=tmp_path / "t.safetensors")
    assert trace.arrays.n_bytes * 2 == trace_bytes(MODEL, IDS.shape, list(whole.arrays))
    for name, array in whole.arrays.items():
        np.testing.assert_allclose(trace.arrays[name], array, rtol=2**-8, atol=1e-30)
    part = trace.select("hook_bank", story=1, segment=2, slot=[0, 3])
    np.testing.assert_array_equal(part, trace.arrays["hook_bank"][1, 2, [0, 3]])
    with pytest.raises(UserError, match="bfloat16 is a type of files"):
        capture(MODEL, IDS, reduce=halved)


@pytest.mark.skipif(sys.platform != "linux", reason="reads which pages are in memory from /proc")
def test_only_the_part_that_is_asked_for_is_read(tmp_path):
    file = tmp_path / "t.safetensors"
    array = np.ones((16, 1, 1, 2**18), np.float32)  # 1 MB a story
    Trace({"hook_bank": array}, {"hook_bank": ("story", "segment", "slot", "dim")}, [[["a"]]] * 16).save(file)
    trace = Trace.load(file)

    def megabytes_read():
        text = Path("/proc/self/smaps").read_text()
        maps = re.findall(rf"{re.escape(str(file))}\n(?:[A-Z].*\n)*?Rss:\s+(\d+) kB", text)
        return sum(map(int, maps)) / 1024

    one = trace.select("hook_bank", story=7)
    assert megabytes_read() < 1
    assert one.sum() == 2**18
    assert 1 <= megabytes_read() < 6  # the system maps a few neighbours
    every = trace.arrays["hook_bank"]
    assert every.sum() == 16 * 2**18
    assert megabytes_read() > 15
    del one, every
    assert megabytes_read() == 0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"dtype": "float8"}, "unknown dtype 'float8'; choose one of: float32, bfloat16"),
        ({"slots": (3, 1)}, r"slots \[3, 1\]; give different numbers from 0, ascending"),
        ({"slots": (99,)}, "slot 99 is not there; these are 0 to"),
        ({"tokens": (4,)}, "token 4 is not there; these are 0 to 3"),
    ],
)
def test_what_cannot_be_kept_is_refused(wrong, says):
    with pytest.raises(UserError, match=says):
        capture(MODEL, IDS, reduce=Reduction(**wrong))


def test_an_analysis_of_what_was_not_kept_is_refused():
    gates = capture(MODEL, IDS, reduce=Reduction(mean_width=True))
    with pytest.raises(UserError, match="hook_gate_forget was recorded without axis dim; record it again"):
        list(as_traces(gates, needs=[GATE]))
    slots = capture(MODEL, IDS, reduce=Reduction(slots=(0,)))
    with pytest.raises(UserError, match="hook_bank was recorded without some slots"):
        bank_after(slots, 1, MODEL, story=0)
    with pytest.raises(UserError, match="was recorded without some slots"):
        report_pictures(slots)


def test_a_disk_that_is_too_small_is_said_before_the_run(tmp_path, monkeypatch):
    usage = array_file.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(array_file.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(UserError, match="takes .* the disk has 1.0 KB free; record fewer hooks"):
        capture(MODEL, IDS, to=tmp_path / "t.safetensors")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_the_trace_that_was_there(whole, tmp_path, monkeypatch):
    file = tmp_path / "t.safetensors"
    whole.save(file)
    before, written, pwrite = file.read_bytes(), [], os.pwrite

    def full(*args):
        written.append(args)
        if len(written) > 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        return pwrite(*args)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(UserError, match="No space left on device; nothing was written"):
        capture(MODEL, IDS, to=file)
    assert [p.name for p in tmp_path.iterdir()] == [file.name]
    assert file.read_bytes() == before
    assert replace(Trace.load(file)).tokens == whole.tokens
