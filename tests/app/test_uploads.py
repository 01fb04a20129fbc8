"""Any bad upload is refused in one line: no traceback, nothing run, nothing lost."""

import pickle
import zipfile
from io import BytesIO

import pytest

from app.loaders import opened
from lm2core.reading.answers import read_stories
from tests.app.open.opening import Evil
from tests.app.pages import open_page
from tests.handmade import handmade_lm, handmade_stories


def zip_bomb():
    """A zip whose one member unpacks to 30 MB."""
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x", bytes(30_000_000))
    return packed.getvalue()


BAD = {
    "nothing": lambda _: b"",
    "pickle": lambda mark: pickle.dumps(Evil(mark)),
    "zip bomb": lambda _: zip_bomb(),
    "picture": lambda _: b"\x89PNG\r\n\x1a\n\0\0\0",
    "not unicode": lambda _: b"\xff\xfe\xfd a,b",
    "deep nesting": lambda _: b"[" * 100_000,
}
UPLOADERS = {
    "trace": ("open", {}, "trace_upload", "safetensors"),
    "labels of a trace": ("open", {}, "labels_upload", "csv"),
    "stories": ("open", {"open": "Stories"}, "story_upload", "txt"),
    "labels": ("probes", {"model": "babi-qa1-3", "probes_view": "Your labels"}, "labels_upload", "csv"),
    "interventions": ("interventions", {"model": "babi-qa1-3"}, "edit_upload", "json"),
}


@pytest.mark.parametrize("content", BAD)
@pytest.mark.parametrize("where", UPLOADERS)
def test_a_bad_file_is_refused_in_one_line_and_runs_nothing(where, content, tmp_path):
    view, query, key, suffix = UPLOADERS[where]
    page = open_page(view, **query)
    if where == "labels of a trace":
        trace = read_stories(handmade_lm(), handmade_stories(2, n_sentences=3))
        page.file_uploader(key="trace_upload").upload("t.safetensors", opened.trace_file(trace)).run()
    before = len(page.error)
    page.file_uploader(key=key).upload(f"x.{suffix}", BAD[content](tmp_path / "mark")).run()
    assert not page.exception
    (error,) = page.error[before:]
    assert "\n" not in error.value.strip()
    assert "/tmp" not in error.value
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("where", [name for name in UPLOADERS if name != "labels of a trace"])
def test_a_file_of_another_type_is_refused(where):
    view, query, key, _ = UPLOADERS[where]
    page = open_page(view, **query)
    page.file_uploader(key=key).upload("x.pkl", b"x").run()
    (refused,) = page.exception  # a browser does not let such a file be chosen
    assert "Invalid file extension" in refused.value
