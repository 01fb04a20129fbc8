"""A file that is not a trace breaks nothing and is refused in one line."""

import pickle
import zipfile
from io import BytesIO

import numpy as np
import pytest
from safetensors.numpy import save_file

from app.loaders import opened
from lm2core.reading.checkpoints import SHIPPED
from lm2core.traces.trace import Trace
from tests.app.open.opening import GATE, MODEL, Evil, changed, messages, upload
from tests.app.pages import open_page


def zip_bomb():
    """A zip whose one member unpacks to 50 MB."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("data.pkl", bytes(50_000_000))
    return packed.getvalue()


def as_file(tmp_path, arrays, manifest):
    """A safetensors file with these arrays and this text as its manifest."""
    save_file(arrays, tmp_path / "t.safetensors", metadata={"lm2_trace": manifest})
    return (tmp_path / "t.safetensors").read_bytes()


def bank_alone(trace):
    name = "hook_bank"
    return opened.trace_file(Trace({name: trace.arrays[name]}, {name: trace.axes[name]}, trace.tokens))


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda t, data, tmp: data[:-50], "not a readable trace file"),
        (lambda t, data, tmp: b"", "not a readable trace file"),
        (lambda t, data, tmp: b"# words\n" * 99, "not a readable trace file"),
        (lambda t, data, tmp: pickle.dumps(Evil(tmp / "mark")), "not a readable trace file"),
        (lambda t, data, tmp: zip_bomb(), "not a readable trace file"),
        (lambda t, data, tmp: b"\xff\xff\xff\xff\xff\xff\xff\x7f{}", "not a readable trace file"),
        (lambda t, data, tmp: as_file(tmp, {"a": np.zeros(3)}, '{"schema": 99}'), "schema 1, got 99"),
        (lambda t, data, tmp: as_file(tmp, {"a": np.zeros(3)}, "[" * 100_000), "nested too deeply"),
        (lambda t, data, tmp: (SHIPPED / MODEL / "model.safetensors").read_bytes(), "schema 1, got none"),
        (lambda t, data, tmp: changed(t, arrays={GATE: t.arrays[GATE] + 3}), "must be in [0, 1], got 3"),
        (lambda t, data, tmp: changed(t, axes={GATE: ("story", "segment", "slot", "source")}), "has axes"),
        (lambda t, data, tmp: changed(t, info={"stories": [{"facts": 3}] * 3}), "the facts in the trace are"),
        (lambda t, data, tmp: changed(t, tokens=[[[]] * 5] * 3), "a sentence without words"),
        (lambda t, data, tmp: bank_alone(t), "lacks every block of memory; record them with: lm2 trace"),
    ],
    ids=["truncated", "empty", "text", "pickle", "zip bomb", "giant header", "schema 99", "nested", "weights",
         "gate of 3", "axes", "facts", "no words", "no memory"],
)  # fmt: skip
def test_a_file_that_is_not_a_trace_is_refused_in_one_line(trace, data, tmp_path, make, expected):
    page = upload(open_page("open"), make(trace, data, tmp_path))
    assert expected in messages(page), messages(page)
    assert len(page.error) == 1
    assert "\n" not in page.error[0].value
    assert "/tmp" not in messages(page)
    assert not (tmp_path / "mark").exists()


def test_a_full_disk_of_the_server_is_reported_in_one_line(data, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", full)
    page = upload(open_page("open"), data)
    assert "the server cannot store the file: No space left on device; try again later" in messages(page)
    assert len(page.error) == 1


def test_a_file_of_another_type_is_refused():
    page = open_page("open")
    page.file_uploader(key="trace_upload").upload("trace.pkl", b"x").run()
    (refused,) = page.exception  # a browser does not let such a file be chosen
    assert "Invalid file extension" in refused.value
