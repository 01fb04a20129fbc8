"""The stage in a notebook, and at the top of a report."""

import html
import re
import subprocess
import sys

import pytest

from lm2core.errors import UserError
from lm2core.reading.answers import read_story
from lm2viz import show
from lm2viz.story.report import write_report
from tests.lm2viz.stage.conftest import SENTENCES


@pytest.fixture(scope="module")
def trace(shipped_lm):
    return read_story(shipped_lm, SENTENCES)


def test_a_cell_shows_a_page_of_its_own(trace):
    view = show(trace)
    page = html.unescape(
        re.fullmatch(r'<iframe srcdoc="([^"]*)" style="[^"]*"></iframe>', view._repr_html_())[1]
    )
    assert page.startswith("<!doctype html>") and "Mary went to the kitchen." in page
    assert view.payload["steps"][2]["writes"]
    assert len(repr(view)) < 200


def test_a_report_begins_with_the_stage_and_needs_no_torch(trace, tmp_path):
    trace.save(tmp_path / "story.safetensors")
    code = (
        "import sys; from lm2core.traces.trace import Trace; from lm2viz.story.report import write_report\n"
        "write_report('page.html', Trace.load('story.safetensors')); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    page = (tmp_path / "page.html").read_text()
    assert page.index('id="stage"') < page.index("<figure")


def test_a_story_that_fits_no_stage_keeps_its_report(shipped_lm, tmp_path):
    long = read_story(shipped_lm, ["Mary went to the kitchen."] * 61)
    with pytest.raises(UserError, match="61 sentences"):
        show(long)
    write_report(tmp_path / "page.html", long)
    assert 'id="stage"' not in (tmp_path / "page.html").read_text()
