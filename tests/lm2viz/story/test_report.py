"""The page of a trace: whole, offline, and without a word of a story read as HTML."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.story.report import MAX_SENTENCES, report_pictures, write_report
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories


@pytest.fixture(scope="module")
def trace():
    return read_stories(handmade_lm(), handmade_stories(2, n_sentences=3))


def test_the_page_opens_offline_and_shows_the_numbers_of_the_trace(trace, tmp_path):
    page = tmp_path / "page.html"
    result = write_report(page, trace, story=1)
    assert list(result) == [
        "written", "kept", "moved", "origins", "writes-block-1", "gates", "reads", "reads-block-1",
        "bank-difference", "bank-before", "bank-after",
    ]  # fmt: skip
    text = page.read_text()
    assert text.count("Plotly.newPlot(") == text.count("<figcaption>") == len(result)
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="http', text)
    gate = trace.select("blocks.1.mem.hook_gate_in", story=1, segment=2).mean(axis=-1)
    assert gate.max() > 0.2
    np.testing.assert_allclose(_matrix(text)[2], gate, atol=1e-6)


def _matrix(text):
    """The cells of the first heatmap of the page, from plotly's base64."""
    start = text.index('"z":{')
    result = re.match(r'"z":(\{[^}]*\})', text[start:])
    z = json.loads(result[1])
    values = np.frombuffer(base64.b64decode(z["bdata"]), dtype=z["dtype"])
    return values.reshape([int(n) for n in z["shape"].split(",")])


def test_html_in_a_story_is_text(trace, tmp_path):
    tokens = [[["<script>alert(1)</script>"]] * 3, trace.tokens[1]]
    write_report(tmp_path / "page.html", replace(trace, tokens=tokens))
    text = (tmp_path / "page.html").read_text()
    assert "<li>&lt;script&gt;alert(1)&lt;/script&gt;</li>" in text
    assert "<script>alert(1)" not in text


def test_of_a_long_story_the_last_sentences_are_shown(tmp_path):
    long = read_stories(handmade_lm(), handmade_stories(1, n_sentences=MAX_SENTENCES + 5))
    write_report(tmp_path / "page.html", long)
    assert len(_matrix((tmp_path / "page.html").read_text())) == MAX_SENTENCES


def test_what_cannot_be_shown_is_said(trace, tmp_path):
    with pytest.raises(ValueError, match="no story 7 in the trace; it has 0 to 1"):
        write_report(tmp_path / "page.html", trace, story=7)
    bare = read_stories(handmade_lm(), handmade_stories(1), names=["hook_resid_pre"])
    with pytest.raises(ValueError, match="no memory hooks to show; record them with: lm2 trace"):
        write_report(tmp_path / "page.html", bare)
    assert list(tmp_path.iterdir()) == []


def test_a_trace_with_some_hooks_gives_the_pictures_of_those():
    names = ["mem.hook_read_pattern", "hook_bank"]
    some = read_stories(handmade_lm(), handmade_stories(1, n_sentences=5), names=names)
    assert list(report_pictures(some)) == ["reads", "reads-block-1", "bank-after"]
    names = ["mem.hook_gate_in", "mem.hook_gate_forget"]
    gates = read_stories(handmade_lm(), handmade_stories(1, n_sentences=5), names=names)
    assert list(report_pictures(gates)) == ["written", "kept"]


def test_tables_hold_what_the_pictures_show(trace):
    """A hand-built memory: each sentence writes to the slot of its person and is all that it holds then."""
    result = report_pictures(trace, story=1)
    words = trace.tokens[1]
    last_of = {words[s][0]: s for s in range(3)}
    for name, s in last_of.items():
        slot = str(SLOT_OF[name.capitalize()])
        assert result["written"].table[slot].iloc[s] == result["written"].table.iloc[s].max()
        assert result["origins"].table[slot].iloc[s] == pytest.approx(1, abs=1e-6)
    change = result["bank-after"].table - result["bank-before"].table
    np.testing.assert_allclose(result["bank-difference"].table, change)
    np.testing.assert_allclose(result["reads"].table.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(result["gates"].table.loc["change"].iloc[0], result["moved"].table.iloc[2])


def test_a_bank_that_is_not_finite_is_drawn_with_gaps(trace):
    name = "blocks.1.mem.hook_bank_post"
    broken = trace.arrays[name].copy()
    broken[0, 2, 3], broken[0, 2, 1, 0] = np.nan, np.inf
    result = report_pictures(replace(trace, arrays={**trace.arrays, name: broken}))
    assert result["bank-after"].table.loc["3"].isna().all()
    assert np.isfinite(result["bank-before"].table).all(axis=None)
    assert result["bank-after"].figure.data[0].zmax < 10  # the scale is that of what is finite
