"""The interventions page: its numbers are those of the runs; bad files and links are refused in one line."""

import base64
import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.loaders import interventions, stories
from app.loaders.models import model_lock
from lm2viz.causal import Erase, Zero, to_json
from lm2viz.causal.on_story import changed_slots
from lm2viz.sample.story_sample import StorySample
from tests.app.pages import drawn, open_page

MODEL, EXAMPLE = "babi-qa1-3", "2-two-facts"
STORY = stories.load_example(EXAMPLE)
ZERO = to_json([Zero(slots=(13,))])
LINK = {"model": MODEL, "example": EXAMPLE}


def lines_on(page: AppTest) -> list[str]:
    return [m.value for m in (*page.error, *page.info, *page.text)]


def numbers(packed: dict[str, str]) -> list[float]:
    """One axis of a plotly figure."""
    return np.frombuffer(base64.b64decode(packed["bdata"]), packed["dtype"]).tolist()


def test_answers_and_changed_slots_are_those_of_the_runs():
    page = open_page("interventions", **LINK, edits=ZERO)
    result = interventions.load_story_effect(
        MODEL, STORY.sentences, STORY.questions, "", ZERO, task="qa1", seed=0
    )
    table = page.dataframe[0].value
    assert list(table["edited"]) == [a.after for a in result.answers]
    np.testing.assert_allclose(table["p edited"], [a.p_after for a in result.answers])
    np.testing.assert_allclose(table["p control"], [a.p_control for a in result.answers])
    cells = drawn(page, "Change of slots, most changed first")
    np.testing.assert_allclose(cells, result.slot_changes[changed_slots(result.slot_changes)], atol=1e-6)
    assert changed_slots(result.slot_changes)[0] == 13


@pytest.mark.parametrize("model", ["babi-qa1-3", "babi-qa1-10"])
def test_the_default_of_each_model_changes_an_answer(model):
    page = open_page("interventions", model=model, example=EXAMPLE)
    table = page.dataframe[0].value
    assert (table["p before"] - table["p edited"]).max() > 0.5
    assert (table["p before"] - table["p control"]).abs().max() < 0.2
    assert "edits" not in page.query_params


def test_the_page_says_whether_the_intervention_propagates():
    page = open_page("interventions", **LINK, edits=ZERO)
    assert any(c.value.startswith("Propagates") for c in page.caption)
    out = '[{"kind": "clamp_gate", "gate": "out", "value": 0.0}]'
    page = open_page("interventions", **LINK, edits=out)
    assert any(c.value.startswith("Does not propagate") for c in page.caption)
    assert any("The interventions change no slot" in line for line in lines_on(page))


def test_several_are_built_composed_and_removed_and_the_link_follows():
    page = open_page("interventions", **LINK, edits=ZERO)
    page.selectbox(key="edit_kind").set_value("clamp_gate").run()
    page.segmented_control(key="edit_gate").set_value("forget").run()
    page.multiselect(key="edit_slots").set_value([2, 5]).run()
    page.number_input(key="edit_step_False").set_value(4).run()
    page.button(key="edit_add").click().run()
    assert not page.exception
    lines = [t.value for t in page.text if ". " in t.value]
    assert lines[0] == "1.  zero: slots 13, step every one"
    assert lines[1] == "2.  clamp_gate: gate forget, value 0.0, block every one, slots 2 5, step 4"
    link = page.query_params["edits"]
    assert [entry["kind"] for entry in json.loads(link if isinstance(link, str) else link[0])] == [
        "zero",
        "clamp_gate",
    ]
    page.button(key="remove_0").click().run()
    assert [t.value for t in page.text if ". " in t.value][0].startswith("1.  clamp_gate")
    assert not any((button.key or "").startswith("remove") for button in page.button)


def test_a_kind_that_takes_from_others_takes_from_stories_of_the_task():
    mean = '[{"kind": "mean", "slots": [13], "step": 2}]'
    page = open_page("interventions", **LINK, edits=mean, effect_task="qa2")
    assert not page.error
    assert page.dataframe[0].value["p edited"].between(0, 1).all()


def test_an_intervention_without_slots_is_refused_in_one_line():
    page = open_page("interventions", **LINK)
    page.button(key="edit_add").click().run()
    assert not page.exception
    assert "missing slots" in page.error[0].value


@pytest.mark.parametrize(
    ("edits", "line"),
    [
        ("[", "not JSON"),
        ("{}", "must be a JSON list"),
        ("[]", "0 interventions; the page runs 1 to 12"),
        ('[{"kind": "<b>x</b>"}]', "no intervention of kind"),
        ('[{"kind": "zero"}]', "missing slots"),
        ('[{"kind": "zero", "slots": [1], "x": 1}]', "unknown x"),
        ('[{"kind": "zero", "slots": "13"}]', "give different slot numbers"),
        ('[{"kind": "zero", "slots": [99]}]', "no slot 99; this model has 0..23"),
        ('[{"kind": "zero", "slots": [1], "step": 99}]', "step 99, but the longest story has 11 sentences"),
        ('[{"kind": "clamp_gate", "gate": {}, "value": 1}]', "no gate {}; known: in, forget, out"),
        ('[{"kind": "clamp_gate", "gate": "in", "value": NaN}]', "give a number in [0, 1]"),
        ('[{"kind": "clamp_gate", "gate": "in", "value": 1, "block": true}]', "give a whole number"),
        ('[{"kind": "clamp_gate", "gate": "in", "value": 1, "block": 9}]', "no memory in block 9"),
        ('[{"kind": "swap", "slots": [1], "other": 500}]', "no story 500"),
        ('[{"kind": "erase", "slots": [1], "directions": [[1]], "readers": [[1]], "centre": [0]}]', "erase"),
        ("[" * 50_000, "nested too deeply"),
        ("[" + ", ".join(['{"kind": "zero", "slots": [1]}'] * 13) + "]", "13 interventions"),
    ],
    ids=lambda text: str(text)[:30],
)  # fmt: skip
def test_bad_interventions_are_refused_in_one_line_and_the_page_opens(edits, line):
    page = open_page("interventions", **LINK, edits=edits)
    messages = [m.value.replace("\\", "") for m in page.error]
    assert any(line in message and "\n" not in message for message in messages), messages
    assert any("Measure" in m.value for m in page.info)


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"\xff\xfe\x00", "the file is not text"),
        (b"PK\x03\x04 a zip", "not JSON"),
        (b" " * 300_000, "the file has 300000 bytes; interventions may have at most 200000"),
    ],
    ids=["binary", "zip", "huge"],
)
def test_a_file_that_holds_no_interventions_is_refused(data, line):
    with pytest.raises(ValueError, match=line):
        interventions.read_edits(data)


def test_a_list_too_long_for_a_link_stays_out_of_it():
    wide = Erase(
        slots=(1,), directions=((0.123456789,) * 64,), readers=((0.123456789,) * 64,), centre=(0.0,) * 64
    )
    page = open_page("interventions", **LINK, edits=to_json([wide]))
    assert not page.error
    assert "edits" not in page.query_params
    page.run()
    assert any("erase: slots 1" in t.value for t in page.text)


def test_the_effect_is_measured_on_demand_beside_its_placebos():
    page = open_page("interventions", **LINK, edits=ZERO, effect_n="25", effect_seed="3")
    assert any("Press **Measure**" in i.value for i in page.info)
    page.button(key="effect_button").click().run(timeout=120)
    assert not page.exception
    result = interventions.load_effect(MODEL, ZERO, StorySample("qa1", 25, 3))
    assert result.n_stories == 25
    assert result.summary() in [t.value for t in page.text]
    chart = page.get("plotly_chart")[-1].proto
    assert chart.alt == result.summary()
    shown = json.loads(chart.spec)["data"][2]["x"]
    np.testing.assert_allclose(
        numbers(shown), [c.change.value for c in result.changes if c.measure == "accuracy"]
    )
    link = page.query_params["measured"]
    choices = {"edits": ZERO, "effect_n": "25", "effect_seed": "3"}
    again = open_page("interventions", **LINK, **choices, measured=link if isinstance(link, str) else link[0])
    assert result.summary() in [t.value for t in again.text]
    page.number_input(key="effect_seed").set_value(4).run()
    assert any("Press **Measure**" in i.value for i in page.info)


def test_a_long_measurement_does_not_hold_the_lock_of_the_other_pages(monkeypatch):
    def slow(*_, **__):
        assert not model_lock.locked()
        return "done"

    monkeypatch.setattr(interventions, "effect", slow)
    assert interventions.load_effect(MODEL, to_json([Zero(slots=(1,))]), StorySample("qa1", 25, 9)) == "done"


def test_a_pasted_story_without_questions_is_asked():
    page = open_page("interventions", model=MODEL, source="Own")
    page.text_area[0].set_value("Mary went to the kitchen.\nJohn went to the garden.")
    next(b for b in page.button if b.label == "Read story").click().run()
    assert not page.exception
    assert list(page.dataframe[0].value["before"]) == ["kitchen"]


@pytest.mark.parametrize(
    "query",
    [{"effect_task": "qa99"}, {"effect_seed": "-3"}, {"effect_n": "1000000"}, {"question": "<b>who</b>"}],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("interventions", **LINK, **query)
    assert any("Press **Measure**" in i.value for i in page.info)
