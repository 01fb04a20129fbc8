"""The story page as a user meets it: the numbers drawn are the trace's, and no input breaks it."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.loaders import stories, traces
from lm2viz.story import select
from tests.app.pages import drawn, open_page, shown_verdict

MODEL, EXAMPLE, STEP = "babi-qa1-10", "2-two-facts", 4
N_SLOTS, LAST_BLOCK = 24, 3


INPUT_GATE = "Input gate: bright lets new content in"
FORGET_GATE = "Forget gate (share kept): dark erases old content"
CHANGE = "Change of content: bright is a large change"


@pytest.fixture(scope="module")
def trace():
    return traces.load_trace(MODEL, stories.load_example(EXAMPLE).sentences)


@pytest.fixture
def page():
    return open_page(example=EXAMPLE, step=str(STEP))


@pytest.mark.parametrize("block", [0, 2])
def test_who_wrote_where_is_the_strength_in_the_trace(trace, block):
    page = open_page(example=EXAMPLE, step=str(STEP), block=str(block))
    cells = drawn(page, f"Who wrote where, block {block}")
    np.testing.assert_allclose(cells, select.write_strength(trace, STEP - 1, block), atol=1e-6)
    np.testing.assert_allclose(cells.sum(0), drawn(page, INPUT_GATE)[block], atol=1e-5)


def test_gates_and_change_are_those_of_the_trace(page, trace):
    opened, remaining = select.slot_gates(trace, STEP - 1)
    np.testing.assert_allclose(drawn(page, INPUT_GATE), opened, atol=1e-6)
    np.testing.assert_allclose(drawn(page, FORGET_GATE), remaining, atol=1e-6)
    change = select.slot_change(trace, STEP - 1)
    np.testing.assert_allclose(drawn(page, CHANGE), change, atol=1e-6)


def test_the_bank_before_plus_the_change_is_the_bank_after(trace):
    page = open_page(example=EXAMPLE, step=str(STEP), view="Whole bank")
    before, after = drawn(page, "The bank before the sentence"), drawn(page, "The bank after the sentence")
    change = drawn(page, "What the sentence changed: after minus before")
    np.testing.assert_allclose(before + change, after, atol=1e-6)
    np.testing.assert_array_equal(after, trace.select("hook_bank", story=0, segment=STEP - 1))


def test_reads_are_the_pattern_of_the_question(trace):
    page = open_page(
        example=EXAMPLE, step=str(STEP), view="Question", question="Where is the milk?", block="1"
    )
    answer = traces.load_answer(MODEL, stories.load_example(EXAMPLE).sentences, STEP, "Where is the milk?")
    by_head, _ = select.read_by_head(answer.trace, token=4)
    np.testing.assert_allclose(drawn(page, "What the last word read"), by_head, atol=1e-6)
    np.testing.assert_allclose(
        drawn(page, "What each word read, block 1, mean over heads"),
        select.read_by_token(answer.trace, 1, None),
        atol=1e-6,
    )


def test_the_answer_bars_are_the_model_s_probabilities_beside_a_fresh_bank(page):
    story = stories.load_example(EXAMPLE).sentences
    answer = traces.load_answer(MODEL, story, STEP, "Where is the milk?")
    control = traces.load_answer(MODEL, story, 0, "Where is the milk?")
    bars = next(
        spec["data"]
        for chart in page.get("plotly_chart")
        if (spec := json.loads(chart.proto.spec))["data"][0]["type"] == "bar"
    )
    by_name = {bar["name"]: dict(zip(bar["y"], bar["x"], strict=True)) for bar in bars}
    for word, probability in list(zip(answer.words, answer.probabilities, strict=True))[:6]:
        assert by_name["this bank"][word] == pytest.approx(probability)
        expected = control.probabilities[control.words.index(word)]
        assert by_name["control: fresh bank"][word] == pytest.approx(expected)


def test_a_question_of_the_story_shows_the_right_answer_and_its_supporting_sentences(page):
    assert any("The right answer follows from sentences 2, 4." in m.value for m in page.markdown)


def test_next_and_back_move_one_sentence_and_stop_at_the_ends(page):
    page.button(key="next").click().run()
    assert page.slider(key="step").value == STEP + 1
    for _ in range(STEP + 3):
        page.button(key="back").click().run()
    assert page.slider(key="step").value == 0
    assert any("No sentence has been read" in i.value for i in page.info)
    assert any("the answer is a guess" in i.value for i in page.info)


def test_a_slot_s_history_is_drawn_for_every_block_and_sentence(page):
    """What a click on a cell opens; the click itself is tested in the browser."""
    page.segmented_control(key="view").set_value("One slot").run()
    page.number_input(key="slot").set_value(17).run()
    assert not page.exception
    assert drawn(page, "Input gate of slot 17 at every sentence").shape == (LAST_BLOCK + 1, 11)


def test_every_chart_has_a_text_and_a_caption(page):
    charts = page.get("plotly_chart")
    assert len(charts) == 3
    assert all(chart.proto.alt for chart in charts)
    assert len(page.caption) >= len(charts)


def test_a_generated_story_is_the_one_of_its_seed():
    page = open_page(source="Generated", task="qa3", seed="5", step="3")
    story = stories.generate_story("qa3", 5)
    assert any(story.sentences[2] in text.value for text in page.text)


def test_a_long_story_shows_the_sentences_around_the_step():
    story = stories.generate_story("qa3", 1)
    n = len(story.sentences)
    assert n > 40
    for step in (0, 1, 20, n - 1, n):
        page = open_page(source="Generated", task="qa3", seed="1", step=str(step))
        shown = page.text[0].value
        assert f"▶ {step}  {story.sentences[step - 1]}" in shown or step == 0
        assert len(shown.splitlines()) <= 16
        assert ("more" in shown) == (step < n - 5)


def paste_story(text: str) -> AppTest:
    page = open_page(source="Own")
    page.text_area[0].set_value(text)
    next(b for b in page.button if b.label == "Read story").click().run()
    return page


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The story is empty"),
        ("  \n \n", "The story is empty"),
        ("Gandalf went to the kitchen.", "unknown words: Gandalf; this model knows:"),
        ("Mary went to the kitchen.\n" * 2_000, "the story has 2000 sentences; the page shows at most 400"),
        ("<script>alert(1)</script> went.", "unknown words: <"),
        ("Mary went to [PAD].", "unknown words: [PAD]"),
        ("Mary " * 40, "a sentence has 40 words; the page reads at most 32"),
    ],
    ids=["empty", "blank", "unknown", "2000 sentences", "markup", "padding", "40 words"],
)
def test_a_story_that_cannot_be_shown_is_refused_in_one_line(text, message):
    page = paste_story(text)
    assert not page.exception
    messages = [m.value.replace("\\", "") for m in (*page.error, *page.info)]  # as it is shown
    assert any(message in shown for shown in messages), messages


def test_a_pasted_story_of_one_sentence_is_read_and_asked():
    page = paste_story("Daniel went to the garden.")
    assert not page.exception
    assert page.slider(key="step").value == 1
    assert any("After 1 of 1 sentences." in m.value for m in page.markdown)
    key = page.query_params["own"]
    assert stories.find_story(key[0] if isinstance(key, list) else key) == ("Daniel went to the garden.",)


def test_a_pasted_story_is_shown_read_to_its_end_whatever_the_step_was():
    page = open_page(source="Own", step="1")
    page.text_area[0].set_value("Mary went to the office.\n" * 5)
    next(b for b in page.button if b.label == "Read story").click().run()
    assert page.slider(key="step").value == 5


@pytest.mark.parametrize("text", ["Gandalf slept.\n" * 30, "Mary went to the office.\n" * 401])
def test_after_a_refused_long_story_the_example_still_opens(text):
    page = open_page(example=EXAMPLE)
    page.segmented_control(key="source").set_value("Own").run()
    page.text_area[0].set_value(text)
    next(b for b in page.button if b.label == "Read story").click().run()
    assert page.error
    page.segmented_control(key="source").set_value("Example").run()
    assert not page.exception
    assert page.slider(key="step").value <= 11


def test_a_story_that_is_refused_is_not_kept():
    before = dict(stories._pasted_stories())
    paste_story("Mary went to the office.\n" * 401)
    assert stories._pasted_stories() == before


def test_a_story_pasted_again_is_the_last_to_be_forgotten(monkeypatch):
    monkeypatch.setattr(stories, "MAX_PASTED_STORIES", 2)
    first, second, _ = (stories.store_story((f"Story {name}.",)) for name in ("a", "b", "a"))
    stories.store_story(("Story c.",))
    assert stories.find_story(first) == ("Story a.",)
    assert stories.find_story(second) is None


def test_a_link_to_a_story_this_server_does_not_have_says_so():
    page = open_page(source="Own", own="0123456789abcdef")
    assert any("no longer has the story in this link" in i.value for i in page.info)


def test_a_message_shows_markup_of_a_user_as_text():
    (error,) = paste_story("Mary *went* to [this](http://x.y).").error
    assert r"\*" in error.value
    assert r"\[" in error.value


@pytest.mark.parametrize("question", ["Where is Zoe?", "¿Dónde?", "<b>Mary</b>"])
def test_a_question_with_unknown_words_names_them_and_leaves_the_page(question):
    page = open_page(example=EXAMPLE, step="4", question=question)
    assert "unknown words" in page.error[0].value
    assert drawn(page, "Who wrote where, block 0").shape == (6, N_SLOTS)


@pytest.mark.parametrize(
    "query",
    [{"step": "999"}, {"step": "x"}, {"step": "-1"}, {"block": "77"}, {"view": "<i>"},
     {"slot": "99", "view": "One slot"}, {"source": "nowhere"}, {"model": "../../etc"}, {"example": "no"},
     {"seed": "-4", "source": "Generated"}],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page(**query)
    assert "The model answers" in shown_verdict(page)


def test_pasted_stories_are_forgotten_when_there_are_too_many(monkeypatch):
    monkeypatch.setattr(stories, "MAX_PASTED_STORIES", 3)
    keys = [stories.store_story((f"Mary went to place {i}.",)) for i in range(5)]
    assert stories.find_story(keys[0]) is None
    assert stories.find_story(keys[-1]) == ("Mary went to place 4.",)
