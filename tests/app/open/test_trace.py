"""An opened trace is shown as recorded, and only to the user who opened it."""

import numpy as np
import pytest

from lm2viz.story import select
from tests.app.open.opening import changed, messages, upload
from tests.app.pages import drawn, open_page


def test_an_opened_trace_is_drawn_with_its_own_numbers(trace, data):
    page = upload(open_page("open", step="3", block="1"), data)
    page.number_input(key="trace_story").set_value(2).run()
    np.testing.assert_allclose(
        drawn(page, "Who wrote where, block 1"), select.write_strength(trace, 2, 1, story=2), atol=1e-6
    )
    assert "▶ 3  " + " ".join(trace.tokens[2][2]) in page.text[0].value


def test_the_facts_beside_a_sentence_are_those_of_the_trace_and_then_the_user_s_labels(trace, data):
    page = upload(open_page("open", step="2"), data)
    expected = trace.info["stories"][0]["facts"][1]
    shown = page.dataframe[0].value
    assert dict(zip(shown["fact"], shown["value"], strict=True)) == {n: v for n, (v, _) in expected.items()}
    assert list(shown["since sentence"]) == [expected[name][1] + 1 for name in shown["fact"]]
    labels = b"story,segment,fact,value\n0,0,mood,<b>sad</b>\n0,1,mood,<b>sad</b>\n"
    upload(page, labels, "labels.csv", "labels_upload")
    assert page.dataframe[0].value.values.tolist() == [["mood", "<b>sad</b>", 1]]
    page.file_uploader(key="labels_upload").clear().run()
    assert len(page.dataframe[0].value) == len(expected)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (b"a,b\n1,2\n", "no column story, segment, fact, value"),
        (b"story,segment,fact,value\n9,9,mood,sad\n", "a label is about story 9; these are 0 to 2"),
        (b"story,segment,fact,value\n0,0,mood,sad\n0,0,mood,glad\n", "story 0, segment 0 has 'mood' twice"),
        (b"\x80\x04\x95pickle", "cannot read labels the file"),
        (b"", "cannot read labels the file"),
        (b"story,segment,fact,value\nx,y,mood,sad\n", "column story must have whole numbers"),
        (b"PK\x03\x04 zip", "the file has no column"),
    ],
    ids=["columns", "nowhere", "twice", "pickle", "empty", "words for numbers", "zip"],
)
def test_labels_that_do_not_fit_are_refused_and_the_trace_stays(data, labels, expected):
    page = upload(upload(open_page("open", step="2"), data), labels, "labels.csv", "labels_upload")
    assert expected in messages(page)
    assert len(page.error) == 1
    assert page.get("plotly_chart")


def test_markup_in_a_trace_is_shown_as_text(trace):
    tokens = [[["<script>alert(1)</script>", "[a](http://x)"], *story[1:]] for story in trace.tokens]
    page = upload(open_page("open", step="1"), changed(trace, tokens=tokens, info={"model": "**x** <b>"}))
    assert "▶ 1  <script>alert(1)</script> [a](http://x)" in page.text[0].value
    assert any(r"\*\*x\*\* \<b\>" in m.value for m in page.markdown)


def test_one_user_does_not_see_the_trace_of_another(data):
    first, second = open_page("open"), open_page("open")
    upload(first, data)
    second.run()
    assert first.get("plotly_chart")
    assert not second.get("plotly_chart")
    assert "Open a trace file" in second.info[0].value
