"""Uploaded stories, and downloads."""

import pickle

import numpy as np
import pytest

from app.loaders import opened, stories
from app.panels.python_code import file_source, story_source, view_code
from lm2core.traces.trace import Trace
from tests.app.open.opening import EXAMPLE, GATE, STEP, messages, type_folder, upload
from tests.app.pages import drawn, open_page

ONE_SLOT, BANK, READS, SENTENCE = "One slot", "Whole bank", "Question", "Last sentence"


def test_a_file_of_stories_is_read_on_the_story_page():
    page = open_page("open", open="Stories")
    file = "1 Mary went to the office.\n2 Where is Mary?\toffice\t1\n"
    file += "1 John went to the garden.\n2 Where is John?\tgarden\t1\n"
    upload(page, file.encode(), "stories.txt", "story_upload")
    page.number_input(key="file_story").set_value(2).run()
    assert page.text[0].value == "John went to the garden."
    assert ("John went to the garden.",) not in stories._pasted_stories().values()  # looking keeps nothing
    page.button(key="read_story").click().run()
    assert ("John went to the garden.",) in stories._pasted_stories().values()
    key = stories.store_story(("John went to the garden.",))
    story = open_page("story", source="Own", own=key)
    assert "▶ 1  John went to the garden." in story.text[0].value


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the story is empty"),
        (b"\xff\xfe\x00broken", "not a text file"),
        (b"1 Where is Mary?\n", "a question needs TAB answer"),
        (b"Mary went.\n" * 2000, "at most 400"),
        (b"word " * 50, "a sentence has 50 words"),
        (pickle.dumps(3), "not a text file"),
    ],
    ids=["empty", "utf16", "babi", "long", "wide", "pickle"],
)
def test_a_file_that_is_not_a_story_is_refused_in_one_line(content, expected):
    page = upload(open_page("open", open="Stories"), content, "stories.txt", "story_upload")
    assert expected in messages(page), messages(page)
    assert len(page.error) == 1


def test_html_in_a_file_of_stories_is_text():
    page = upload(open_page("open", open="Stories"), b"<img src=x onerror=alert(1)>", "s.txt", "story_upload")
    assert page.text[0].value == "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize(
    ("view", "title"),
    [
        (SENTENCE, "Who wrote where, block 2"),
        (BANK, "What the sentence changed: after minus before"),
        (READS, "What the last word read"),
        (ONE_SLOT, "Input gate of slot 17 at every sentence"),
    ],
)
def test_the_python_on_the_page_makes_the_picture_on_the_page(view, title, tmp_path, monkeypatch):
    page = open_page(
        "open", open="Downloads", example=EXAMPLE, step=str(STEP), block="2", slot="17", view=view,
        question="Where is the milk?",
    )  # fmt: skip
    made = run_code(page.code[0].value, tmp_path, monkeypatch)
    np.testing.assert_allclose(made["picture"].figure.data[0].z, drawn(page, title), atol=1e-6)
    assert (tmp_path / "view.html").stat().st_size > 1000


def run_code(code, folder, monkeypatch):
    monkeypatch.chdir(folder)
    made = {}
    exec(compile(code, "view", "exec"), made)
    return made


def test_the_python_for_an_opened_checkpoint_runs_in_the_folder_it_was_opened_from(root, monkeypatch):
    page = type_folder(open_page("open", open="Checkpoint folder"), "mine")
    page.segmented_control(key="open").set_value("Downloads").run()
    page.selectbox(key="model").set_value(page.selectbox(key="model").options[-1]).run()
    made = run_code(page.code[0].value, root, monkeypatch)
    assert made["lm"].name == "./mine"


def test_the_python_of_an_opened_trace_makes_its_picture(data, tmp_path, monkeypatch):
    page = upload(open_page("open", step="3", block="1"), data, "my trace's.safetensors")
    (tmp_path / "my trace's.safetensors").write_bytes(data)
    made = run_code(page.code[0].value, tmp_path, monkeypatch)
    np.testing.assert_allclose(
        made["picture"].figure.data[0].z, drawn(page, f"Who wrote where, block {1}"), atol=1e-6
    )


def test_quotes_in_a_story_do_not_leave_the_text_of_the_python():
    source = story_source("m", ["'); import os; os.abort() #", '"""', "a\\"])
    view_code(source, view=SENTENCE, step=0, block=0, slot=0, question=None)
    call = compile(source, "s", "exec")
    assert {"os", "abort"}.isdisjoint(call.co_names)
    assert "abort" not in compile(file_source("a'); abort(", 0), "s", "exec").co_names


def test_downloads_open_again(trace):
    one = opened.story_of(opened.UploadedTrace("t", trace), 1)
    again = opened._read(opened.trace_file(one), "t.safetensors", Trace.load)
    assert (again.arrays[GATE] == trace.arrays[GATE][1:2]).all()
    assert b"Plotly.newPlot" in opened.report_file(one)
    assert opened.table_file(one).splitlines()[0] == b"sentence,token,word,block,slot,share_times_input_gate"


@pytest.mark.parametrize(
    "query",
    [{"open": "<script>"}, {"step": "999"}, {"open": "Downloads", "model": "../../etc"},
     {"open": "Downloads", "model": "./@x"}, {"trace_story": "-4"}, {"open": "Downloads", "view": "no"}],
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    open_page("open", **query)
