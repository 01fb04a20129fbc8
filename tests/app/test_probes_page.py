"""The probes page: its numbers are those of the probes, with their controls; uploaded labels, bad links."""

import json
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from app.loaders import labels, probes
from app.loaders.sample import load_both, load_rows, page_sample
from app.loaders.stories import generate_story
from app.panels.probes import open_clicked
from app.widgets.tables import readable
from lm2viz.probes import codelength, decay, learning_curve, probe
from lm2viz.probes.by_fact import MEANING, best_slots
from lm2viz.probes.scores import CONTROL_TASK, MAJORITY, PROBE, SHUFFLED, UNTRAINED
from tests.app.pages import drawn, open_page, shown_verdict, unpacked

MODEL, TASK, N = "babi-qa1-3", "qa1", 20  # so few stories only here: the page offers more
FACT = "place of John"
LINK = {"model": MODEL, "task": TASK, "n_stories": str(N)}


@pytest.fixture(autouse=True)
def _few_stories(monkeypatch):
    monkeypatch.setattr(probes, "SIZES", (N, 30))


@pytest.fixture(scope="module")
def rows():
    return load_both(MODEL, page_sample(TASK, N))[0]


@pytest.fixture(scope="module")
def untrained():
    return load_rows(MODEL, page_sample(TASK, N), False)


@pytest.fixture(scope="module")
def overall(rows, untrained):
    return probe(rows, untrained=untrained)


def words_on(page):
    return " ".join(element.value for element in (*page.markdown, *page.text, *page.caption, *page.info))


def chart(page, **layout):
    """The only chart whose axis has this title."""
    specs = [json.loads(each.proto.spec) for each in page.get("plotly_chart")]
    (result,) = [s for s in specs if s["layout"].get("xaxis", {}).get("title", {}).get("text") == layout["x"]]
    return result["data"]


def test_the_stories_are_those_of_their_seeds_and_both_models_read_them(rows, untrained):
    stories = page_sample(TASK, N).stories
    assert stories == [generate_story(TASK, seed) for seed in range(N)]
    assert rows.story.tolist() == [k for k in range(N) for _ in stories[k].sentences]
    assert untrained.facts.equals(rows.facts)
    assert np.abs(untrained.banks - rows.banks).max() > 0.1


@pytest.mark.parametrize("control", list(MEANING))
def test_the_matrices_are_the_probes_and_the_chosen_control(overall, control):
    page = open_page("probes", beside=control, **LINK)
    np.testing.assert_allclose(drawn(page, "Probe of this model"), overall.matrix().T, atol=1e-6)
    np.testing.assert_allclose(drawn(page, f"Control: {control}"), overall.matrix(control).T, atol=1e-6)
    assert MEANING[control] in words_on(page)
    pd.testing.assert_frame_equal(page.dataframe[0].value, best_slots(overall), check_dtype=False)


@pytest.mark.parametrize(("column", "slot"), [(7, "7"), (24, "bank")])
def test_a_clicked_cell_opens_its_fact_and_slot(monkeypatch, column, slot):
    state = {"matrix": {"selection": {"points": [{"x": column, "y": 1}]}}}
    monkeypatch.setattr(st, "session_state", state)
    open_clicked("matrix", ("place of Daniel", FACT), 24)
    assert (state["fact"], state["probe_slot"], state["probes_view"]) == (FACT, slot, "One fact")


def test_a_click_beside_the_cells_changes_nothing(monkeypatch):
    state = {"matrix": {"selection": {"points": []}}}
    monkeypatch.setattr(st, "session_state", state)
    open_clicked("matrix", (FACT,), 24)
    assert state.keys() == {"matrix"}


def test_the_age_curve_is_that_of_the_fact_with_its_controls_beside_it(rows, untrained):
    page = open_page("probes", probes_view="Age", fact=FACT, **LINK)
    expected = decay(rows, facts=[FACT], untrained=untrained)
    lines = {
        line["name"]: unpacked(line["y"])
        for line in chart(page, x="age of the fact (sentences since it was stated)")
    }
    for name in (PROBE, MAJORITY, SHUFFLED, UNTRAINED):
        np.testing.assert_allclose(lines[name], [part.accuracy[name].value for part in expected.bins])
    pd.testing.assert_frame_equal(page.dataframe[0].value, readable(expected.table()), check_dtype=False)


def test_all_facts_can_be_pooled_by_age(rows):
    page = open_page("probes", probes_view="Age", all_facts="true", probe_slot="7", **LINK)
    assert page.dataframe[0].value["rows"].sum() == rows.facts.notna().sum().sum()
    assert "slot 7 for all facts" in words_on(page)


def test_one_fact_has_its_accuracy_with_interval_and_every_control(overall):
    page = open_page("probes", probes_view="One fact", fact=FACT, **LINK)
    points = {point["name"]: point for point in chart(page, x="held-out accuracy")}
    for name in (PROBE, UNTRAINED, CONTROL_TASK, SHUFFLED, MAJORITY):
        expected = overall.accuracy(FACT, name)
        assert unpacked(points[name]["x"])[0] == expected.value
        assert unpacked(points[name]["error_x"]["array"])[0] == pytest.approx(expected.high - expected.value)
    assert f"Selectivity {overall.selectivity(FACT)}" in words_on(page)
    assert len(page.get("plotly_chart")) == 1  # the slow ones wait to be asked for


def test_code_length_and_learning_curve_come_when_asked_for_beside_an_untrained_model(rows, untrained):
    page = open_page("probes", probes_view="One fact", fact=FACT, probe_slot="9", code_length="true", **LINK)
    expected = codelength(rows, FACT, untrained=untrained, slot=9)
    (bars,) = chart(page, x="code length (bits per row)")
    assert unpacked(bars["x"]).tolist() == [bits.value for bits in expected.bits.values()]
    assert f"in an untrained model {expected.compression(UNTRAINED)} times" in words_on(page)
    page.toggle(key="learning_curve").set_value(True).run()
    assert not page.exception
    assert len(page.get("plotly_chart")) == 3
    lines = chart(page, x="training stories (log scale)")
    curve = learning_curve(rows, FACT, untrained=untrained, slot=9).accuracy
    assert {line["name"] for line in lines} == curve.keys() >= {PROBE, UNTRAINED}
    for line in lines:
        assert unpacked(line["y"]).tolist() == [estimate.value for estimate in curve[line["name"]]]


@pytest.mark.parametrize(
    "query",
    [
        {"fact": "<img src=x onerror=alert(1)>"},
        {"probe_slot": "24"},
        {"probe_slot": "-1"},
        {"probes_view": "**x**"},
        {"n_stories": "1000000"},
        {"beside": "nobody"},
        {"task": "qa19"},
    ],
)
def test_a_link_with_nonsense_opens_the_page(query):
    page = open_page("probes", **(LINK | {"probes_view": "One fact"} | query))
    assert not page.error
    assert "onerror" not in words_on(page)


def test_a_fact_of_another_task_makes_room_for_one_of_this(rows):
    link = LINK | {"task": "qa2", "probes_view": "One fact", "fact": "holder of milk"}
    page = open_page("probes", **link)
    assert page.selectbox(key="fact").value == "holder of milk"
    page.selectbox(key="task").set_value(TASK).run()
    assert not page.exception
    assert page.selectbox(key="fact").value in rows.facts


def labels_page(**query):
    return open_page("probes", probes_view="Your labels", **(LINK | query))


def upload(page, content, name="labels.csv"):
    page.file_uploader(key="labels_upload").upload(name, content).run()
    assert not page.exception
    return page


def label_bytes(rows, fact):
    """A fact of the stories under another name, as a user would fill it in."""
    template = pd.DataFrame(
        {"story": rows.story, "segment": rows.segment, "fact": "own", "value": rows.facts[fact]}
    )
    return template.to_csv(index=False).encode()


def test_uploaded_labels_give_the_result_of_the_same_facts(rows, overall):
    page = upload(labels_page(), label_bytes(rows, FACT))
    assert not page.error
    expected = overall.matrix()[:, [overall.facts.index(FACT)]].T
    np.testing.assert_allclose(drawn(page, "Probe of this model"), expected, atol=1e-6)
    assert page.dataframe[0].value["best slot"].tolist() == [overall.slot_of(FACT)]


def test_labels_stay_when_their_user_changes_the_view_and_nobody_else_has_them(rows):
    page = upload(labels_page(), label_bytes(rows, FACT))
    page.segmented_control(key="probes_view").set_value("One fact").run()
    page.segmented_control(key="probes_view").set_value("Your labels").run()
    assert page.dataframe[0].value["fact"].tolist() == ["own"]
    assert not labels_page().dataframe
    page.button(key="close_labels").click().run()
    assert not page.dataframe
    assert "No labels yet" in words_on(page)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "not text"),
        (b"\xff\xfe\xfd a,b", "CSV"),
        (b"", "CSV"),
        (b"story,segment,fact\n0,0,mood\n", "no column value"),
        (b"story,segment,fact,value\n400,0,mood,glad\n", "a label is about story 400; these are 0 to 19"),
        (b"story,segment,fact,value\n0,3,mood,glad\n0,3,mood,sad\n", "story 0, segment 3 has 'mood' twice"),
        (b"story,segment,fact,value\n0,0,,\n", "no row has both a fact and a value"),
        (b"story,segment,fact,value\n0,0,mood,glad\n", "too few stories or values to probe mood"),
        (b"story,segment,fact,value\n" + b"0,0,mood,glad\n" * 150_000, "at most 2 MB are read"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(content, message):
    page = upload(labels_page(), content)
    (error,) = page.error
    assert message in error.value.replace("\\", "")
    assert "\n" not in error.value
    assert "/tmp" not in error.value


def test_a_file_not_called_csv_is_refused():
    page = labels_page()
    page.file_uploader(key="labels_upload").upload("labels.pkl", b"x").run()
    assert "Allowed: ['.csv']" in page.exception[0].message
    assert "probe_labels" not in page.session_state


def test_labels_of_another_task_are_not_used_for_these_stories(rows):
    page = upload(labels_page(), label_bytes(rows, FACT))
    page.selectbox(key="task").set_value("qa2").run()
    (error,) = page.error
    assert "about stories of qa1, not qa2" in error.value.replace("\\", "")


def test_markup_in_labels_is_shown_as_text(rows):
    content = label_bytes(rows, FACT).replace(b",own,", b",<b>**own**</b>,")
    page = upload(labels_page(), content, "[x](y).csv")
    assert r"\[x\]\(y\)\.csv" in words_on(page)
    assert page.dataframe[0].value["fact"].tolist() == ["<b>**own**</b>"]


def test_the_template_has_every_sentence_of_the_sample(rows):
    template = pd.read_csv(BytesIO(labels.template_file(page_sample(TASK, N))))
    assert template["sentence"].tolist() == [
        s for story in page_sample(TASK, N).stories for s in story.sentences
    ]
    assert template["story"].tolist() == rows.story.tolist()


def test_a_sample_of_long_stories_is_cut_to_what_a_page_reads_and_that_is_said(monkeypatch):
    assert "a page reads" not in words_on(labels_page())
    monkeypatch.setattr("app.loaders.sample.MAX_SENTENCES", 105)
    page_sample.clear()
    page = labels_page()
    page_sample.clear()
    assert "10 stories, 100 sentences" in words_on(page)
    assert "a page reads 105 sentences" in words_on(page)


def test_whether_answers_use_a_slot_is_measured_when_asked_for_and_leads_the_page():
    link = LINK | {"n_stories": "30"}
    page = open_page("probes", **link)
    assert "A fact that a probe decodes need not be **used**" in words_on(page)
    page.button(key="use_button").click().run()
    assert not page.exception
    facts = tuple(sorted(f"place of {name}" for name in ("Daniel", "John", "Mary", "Sandra")))
    expected = probes.load_use(MODEL, page_sample(TASK, 30), facts)
    assert shown_verdict(page) == expected.verdict
    shown = page.dataframe[0].value
    assert shown["verdict"].iloc[0] == "decoded and used"
    assert set(shown["verdict"]) <= {"decoded and used", "decoded, not used", "used, not decoded"}
    assert "lm2 probe babi-qa1-3 --task qa1 --stories 30" in " ".join(code.value for code in page.code)
