"""The page of the causal map: pair, answers and measurements are those of the analyses behind it."""

import json

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from app.loaders import causal, traces
from lm2core.babi.counterfactual import draw_counterfactuals
from lm2core.errors import UserError
from lm2viz.causal.pair_text import pair_lines
from lm2viz.sample.story_sample import StorySample
from tests.app.pages import open_page, unpacked
from tests.conftest import ROOT

MODEL, SEED = "babi-qa1-3", 3
LINK = {"model": MODEL, "task": "qa1", "pair_kind": "place", "pair_seed": str(SEED)}


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Short stories and few placebos: what is measured is not what these tests are about."""
    monkeypatch.setattr(causal, "sentences_of", lambda task: 4)
    monkeypatch.setattr(causal, "MIN_PLACEBOS", 2)
    for loader in (causal.load_pairs, causal.load_map, causal.load_parts):
        loader.clear()


def pair_of(seed: int = SEED, kind: str = "place"):
    return draw_counterfactuals("qa1", kind, 1, seed, n_sentences=4)[0]


def measured(page: AppTest) -> AppTest:
    page.button(key="causal_button").click().run(timeout=240)
    assert not page.exception
    assert not page.error
    return page


def texts(page: AppTest) -> list[str]:
    return [t.value for t in page.text]


def test_both_sides_are_shown_as_marked_text_with_a_placebo():
    page = open_page("causal_map", **LINK)
    for pair in (pair_of(), pair_of(kind="placebo")):
        for lines in pair_lines(pair):
            assert "\n".join(lines) in texts(page)


def test_answers_are_those_of_the_model_to_both_sides_and_of_a_fresh_bank():
    page, pair = open_page("causal_map", **LINK), pair_of()
    expected = [
        traces.load_answer(MODEL, sentences, step, pair.question)
        for sentences, step in ((pair.sentences, 4), (pair.edited, 4), (pair.sentences, 0))
    ]
    table = page.dataframe[0].value
    assert list(table["right answer"]) == [pair.answer, pair.edited_answer, ""]
    assert list(table["model answers"]) == [answer.words[0] for answer in expected]
    np.testing.assert_allclose(table["probability"], [answer.probabilities[0] for answer in expected])
    assert not page.warning


def test_a_pair_that_the_model_gets_wrong_has_a_warning(monkeypatch):
    one = traces.load_answer(MODEL, pair_of().sentences, 4, pair_of().question)
    monkeypatch.setattr(traces, "load_answer", lambda *_: one)
    page = open_page("causal_map", **LINK)
    assert "does not answer both sides correctly" in page.warning[0].value


def test_nothing_is_measured_before_it_is_asked_for(monkeypatch):
    monkeypatch.setattr(causal, "causal_map", None)
    monkeypatch.setattr(causal, "causal_parts", None)
    for view in ("Causal map", "Parts", "Attribution", "Gradients"):
        page = open_page("causal_map", **LINK, causal_view=view)
        assert any("Press **Measure**" in i.value for i in page.info)
        assert not page.get("plotly_chart")


def test_the_map_is_that_of_this_pair_and_its_link_shows_it_again():
    page = measured(open_page("causal_map", **LINK))
    result = causal.load_map(MODEL, "qa1", "place", 1, SEED)
    assert "1 pairs (qa1 'place') of 4 sentences, 2 placebos" in result.summary()
    assert result.summary() in texts(page)
    chart = page.get("plotly_chart")[0].proto
    assert chart.alt == result.summary()
    cells = cells_of(page)
    np.testing.assert_allclose(cells[0], result.pairs.mean[0])
    np.testing.assert_allclose(cells[1], result.placebos.mean[0])
    assert any("where it begins says nothing" in m.value for m in page.markdown)
    link = page.query_params["measured"]
    again = open_page("causal_map", **LINK, measured=link if isinstance(link, str) else link[0])
    assert result.summary() in texts(again)
    page.number_input(key="pair_seed").set_value(SEED + 1).run()
    assert any("Press **Measure**" in i.value for i in page.info)


def cells_of(page: AppTest) -> list[np.ndarray]:
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    return [unpacked(trace["z"]).astype(float) for trace in spec["data"]]


def test_parts_are_shown_in_the_chosen_direction():
    page = measured(open_page("causal_map", **LINK, causal_view="Parts", patch_direction="denoising"))
    result = causal.load_parts(MODEL, "qa1", "place", 1, SEED)
    assert result.summary() in texts(page)
    np.testing.assert_allclose(cells_of(page)[0], result.pairs["write"].cells.mean[1])


def test_attribution_prints_how_complete_it_is():
    page = measured(open_page("causal_map", **LINK, causal_view="Attribution"))
    result = causal.load_attribution(MODEL, StorySample("qa1", 20, SEED))
    assert result.summary() in texts(page)
    assert any(f"within **{result.error:.1e}** logits" in m.value for m in page.markdown)


@pytest.mark.parametrize(
    "query",
    [
        {"task": "qa99"},
        {"task": "qa15"},
        {"pair_kind": "<b>x</b>"},
        {"pair_kind": "placebo"},
        {"pair_seed": "-4"},
        {"n_pairs": "100000"},
        {"causal_view": "everything"},
        {"measured": "<script>alert(1)</script>"},
    ],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("causal_map", **(LINK | query))
    assert not page.error
    assert any("Press **Measure**" in i.value for i in page.info)


def test_another_task_keeps_only_kinds_it_has():
    page = open_page("causal_map", **(LINK | {"pair_kind": "order", "model": "babi-qa1-10"}))
    page.selectbox(key="task").set_value("qa7").run()
    assert not page.exception
    assert page.selectbox(key="pair_kind").value == "person"


def test_a_task_of_another_page_without_pairs_gives_way_to_the_first():
    page = AppTest.from_file(str(ROOT / "app" / "menu.py"), default_timeout=60)
    page.switch_page("views/causal_map.py")
    page.session_state["task"] = "qa15"
    page.run()
    assert not page.exception
    assert page.selectbox(key="task").value == "qa1"


def test_too_few_pairs_are_reported_in_one_line(monkeypatch):
    def none(*_, **__):
        raise UserError("found 3 different place counterfactuals of qa4, not 60; ask for fewer")

    monkeypatch.setattr(causal, "draw_counterfactuals", none)
    page = open_page("causal_map", **LINK)
    assert [e.value.replace("\\", "") for e in page.error] == [
        "found 3 different place counterfactuals of qa4, not 60; ask for fewer"
    ]


def test_a_side_opens_on_the_page_of_one_story():
    page, pair = open_page("causal_map", **LINK), pair_of()
    page.button(key="open_Edited").click().run()
    assert not page.exception
    assert page.title[0].value == "What is in this model's memory?"
    assert page.text_area[0].value == "\n".join(pair.edited)
