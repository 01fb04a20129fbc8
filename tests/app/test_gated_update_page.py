"""The gated update page: numbers are the trace's, edited gates are runs of the model, no link breaks it."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.loaders import stories, traces
from lm2viz.causal.gate_edit import GateEdit
from lm2viz.story import gated_update, select
from tests.app.pages import drawn, open_page

MODEL, EXAMPLE, STEP, BLOCK, SLOT, DIM = "babi-qa1-10", "2-two-facts", 4, 3, 13, 9
ASKED = "Where is Mary?"  # what slot 13 alone keeps
LINK = {
    "example": EXAMPLE,
    "step": str(STEP),
    "block": str(BLOCK),
    "slot": str(SLOT),
    "dim": str(DIM),
    "question": ASKED,
}
SENTENCES = stories.load_example(EXAMPLE).sentences


@pytest.fixture(scope="module")
def update():
    return gated_update.slot_update(traces.load_trace(MODEL, SENTENCES), STEP - 1, BLOCK, SLOT)


def bars(page: AppTest, name: str) -> dict[str, float]:
    """The bars of one name, by what stands at them."""
    for chart in page.get("plotly_chart"):
        for bar in json.loads(chart.proto.spec)["data"]:
            if bar.get("type") == "bar" and bar["name"] == name:
                names, values = ("y", "x") if bar.get("orientation") else ("x", "y")
                return dict(zip(bar[names], bar[values], strict=True))
    raise AssertionError(f"no bars {name!r}")


def test_bars_and_equation_are_the_numbers_of_the_trace(update):
    page = open_page("gated_update", **LINK)
    for name, values in (
        ("before: M", update.before),
        ("written: w", update.write),
        ("after: M′", update.after),
    ):
        for dim, shown in bars(page, name).items():
            assert shown == pytest.approx(values[int(dim)], abs=1e-6)
    assert str(DIM) in bars(page, "after: M′")
    assert gated_update.update_latex(update, SLOT, DIM) in page.latex[0].value
    token = update.strongest_token()
    assert gated_update.write_latex(update, token, DIM) in page.latex[1].value
    assert gated_update.forget_latex(update, token, DIM) in page.latex[2].value


def test_the_check_line_shows_the_error_of_the_equation(update):
    page = open_page("gated_update", **LINK)
    assert any(f"at most {update.error():.1e}" in c.value for c in page.caption)
    assert update.error() < 1e-6


def test_the_tables_are_the_slot_and_the_chosen_word(update):
    page = open_page("gated_update", **LINK, word="0:mary")
    slot, word = (frame.value for frame in page.dataframe)
    assert slot.to_dict("list") == gated_update.slot_table(update, DIM)
    assert word.to_dict("list") == gated_update.word_table(update, 0, DIM)


def test_sliders_begin_at_the_models_gates_and_change_nothing_there(update):
    page = open_page("gated_update", **LINK)
    assert [page.slider(key=key).value for key in ("input_gate", "keep_gate")] == list(update.gates())
    assert "gates edited" not in str(page.get("plotly_chart")[1].proto.spec)
    assert any("the model's gates" in m.value for m in page.markdown)


def test_a_shut_input_gate_changes_slot_and_answer_as_a_run_of_the_model_does(update):
    page = open_page("gated_update", **LINK)
    page.slider(key="input_gate").set_value(0.0).run()
    assert not page.exception
    edit = GateEdit(step=STEP, slot=SLOT, gate_in=0.0)
    expected = traces.load_gate_edit_answer(MODEL, SENTENCES, edit, STEP, ASKED)
    unedited = traces.load_answer(MODEL, SENTENCES, STEP, ASKED)
    assert expected.words[0] != unedited.words[0]
    by_word = bars(page, "gates edited")
    for word in by_word:
        assert by_word[word] == pytest.approx(expected.probabilities[expected.words.index(word)])
        assert bars(page, "the model's gates")[word] == pytest.approx(
            unedited.probabilities[unedited.words.index(word)]
        )
    trace = traces.load_gate_edit(MODEL, SENTENCES, edit, STEP).trace
    edited = gated_update.slot_update(trace, 0, BLOCK, SLOT)
    assert not edited.write.any()
    for dim, shown in bars(page, "after, gates edited").items():
        assert shown == pytest.approx(edited.after[int(dim)], abs=1e-6)


def test_edited_gates_change_the_pictures_of_the_bank_and_of_the_routes():
    page = open_page("gated_update", **LINK, input_gate="0")
    edit = GateEdit(step=STEP, slot=SLOT, gate_in=0.0)
    edited = traces.load_gate_edit(MODEL, SENTENCES, edit, STEP).trace
    unedited = traces.load_trace(MODEL, SENTENCES)
    change = select.bank_before_after(edited, 0)[1] - select.bank_before_after(unedited, STEP - 1)[1]
    shown = drawn(page, "Effect of the edited gates on the whole bank")
    np.testing.assert_allclose(shown, change, atol=1e-6)
    assert np.abs(shown[SLOT]).max() > 0.1
    answer = traces.load_gate_edit_answer(MODEL, SENTENCES, edit, STEP, ASKED)
    strongest = select.read_by_token(answer.trace, BLOCK, head=None).max()
    (alt,) = (chart.proto.alt for chart in page.get("plotly_chart") if "slots to words" in chart.proto.alt)
    assert f"slots to words of the question, strongest {strongest:.2f}" in alt
    assert any("with the gates edited. Blue" in c.value for c in page.caption)


def test_the_control_is_the_same_edit_in_another_slot():
    page = open_page("gated_update", **LINK, input_gate="0")
    other = gated_update.control_slot(SLOT, 24)
    edit = GateEdit(step=STEP, slot=other, gate_in=0.0)
    answer = traces.load_gate_edit_answer(MODEL, SENTENCES, edit, STEP, ASKED)
    for word, shown in bars(page, f"control: slot {other} instead").items():
        assert shown == pytest.approx(answer.probabilities[answer.words.index(word)])


def test_undo_and_another_slot_put_the_models_gates_back(update):
    page = open_page("gated_update", **LINK, input_gate="0", keep_gate="0.5")
    assert page.slider(key="keep_gate").value == 0.5
    page.button(key="undo").click().run()
    assert page.slider(key="keep_gate").value == update.gates()[1]
    page.slider(key="keep_gate").set_value(0.25).run()
    page.number_input(key="slot").set_value(5).run()
    trace = traces.load_trace(MODEL, SENTENCES)
    assert (
        page.slider(key="keep_gate").value == gated_update.slot_update(trace, STEP - 1, BLOCK, 5).gates()[1]
    )
    assert "gates edited" not in page.get("plotly_chart")[1].proto.spec


def test_at_the_end_the_question_is_asked_after_the_whole_story():
    page = open_page("gated_update", **LINK, input_gate="0", ask_at="At the end")
    edit = GateEdit(step=STEP, slot=SLOT, gate_in=0.0)
    answer = traces.load_gate_edit_answer(MODEL, SENTENCES, edit, len(SENTENCES), ASKED)
    for word, shown in bars(page, "gates edited").items():
        assert shown == pytest.approx(answer.probabilities[answer.words.index(word)])


def test_another_sentence_has_other_words_and_a_button_leads_to_its_slot():
    page = open_page("gated_update", **LINK, word="4:office")
    page.button(key="next").click().run()
    assert not page.exception
    assert page.selectbox(key="word").value.split(":")[1] in SENTENCES[STEP].lower()
    page.button(key="to_strongest").click().run()
    trace = traces.load_trace(MODEL, SENTENCES)
    assert page.number_input(key="slot").value == gated_update.most_changed_slot(trace, STEP)


def test_before_the_first_sentence_the_page_says_what_to_do():
    page = open_page("gated_update", example=EXAMPLE, step="0")
    assert "Press **Next**" in page.info[0].value


def test_every_chart_has_a_text_and_a_caption():
    page = open_page("gated_update", **LINK)
    charts = page.get("plotly_chart")
    assert len(charts) == 3
    assert all(chart.proto.alt for chart in charts)


@pytest.mark.parametrize(
    "query",
    [{"slot": "99"}, {"slot": "<b>"}, {"dim": "64"}, {"dim": "-1"}, {"word": "9:nobody"}, {"word": "<i>"},
     {"input_gate": "7"}, {"keep_gate": "nan"}, {"keep_gate": "-1"}, {"block": "9"}, {"ask_at": "never"},
     {"gates_of": "no"}, {"step": "1000"}],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("gated_update", **(LINK | query))
    assert any("the model's gates" in m.value for m in page.markdown)
    assert np.isfinite(page.slider(key="keep_gate").value)


def test_a_question_with_unknown_words_names_them_and_leaves_the_equation():
    page = open_page("gated_update", **LINK | {"question": "Where is <b>Zoe</b>?", "input_gate": "0"})
    assert "unknown words" in page.error[0].value
    assert len(page.latex) == 4


def test_a_pasted_story_without_questions_is_asked():
    page = open_page("gated_update", source="Own")
    page.text_area[0].set_value("Mary went to the kitchen.\nJohn went to the garden.")
    next(b for b in page.button if b.label == "Read story").click().run()
    assert not page.exception
    assert any("**kitchen**" in m.value for m in page.markdown)
