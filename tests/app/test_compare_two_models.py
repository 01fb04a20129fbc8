"""Two models on the comparison page: slots are matched as the analysis does it, and no link breaks it."""

import json

import numpy as np
import pytest

from app.loaders import compare, slots
from app.loaders.models import known_tasks, model_names
from lm2viz.sample.story_sample import StorySample
from tests.app.pages import open_page, unpacked

FIRST, SECOND = "babi-qa1-10", "babi-qa1-3"
LINK = {"compare_view": "Two models", "model": FIRST, "other_model": SECOND, "task": "qa1"}


@pytest.fixture(autouse=True)
def few_stories(monkeypatch):
    monkeypatch.setattr(slots, "N_MATCHED", 12)
    forget = slots.load_matching.clear
    forget()
    yield
    forget()


def test_the_bars_and_the_table_are_the_matching_with_both_controls():
    page = open_page("compare", **LINK)
    result = slots.load_matching(FIRST, SECOND, (FIRST, SECOND), StorySample("qa1", 12))
    spec = json.loads(page.get("plotly_chart")[0].proto.spec)
    for trace, name in zip(spec["data"], ("score", "shuffled", "random_slot"), strict=True):
        drawn = unpacked(trace["x"]).astype(float)
        np.testing.assert_allclose(drawn, [getattr(pair, name).value for pair in result.pairs])
    table = page.dataframe[0].value
    assert list(table["first"]) == [pair.first for pair in result.pairs]
    assert list(table["second"]) == [pair.second for pair in result.pairs]
    finding = next(c.value for c in page.caption if "random matching" in c.value).replace("\\", "")
    for estimate in (result.mean, result.shuffled, result.random):
        assert str(estimate) in finding
    assert page.get("plotly_chart")[0].proto.alt == result.summary()


def test_the_second_model_is_another_and_tasks_are_those_both_know():
    page = open_page("compare", **(LINK | {"other_model": FIRST}))
    assert page.selectbox(key="other_model").options == [name for name in model_names() if name != FIRST]
    other = page.selectbox(key="other_model").value
    assert page.selectbox(key="task").options == [t for t in known_tasks(FIRST) if t in known_tasks(other)]


def test_the_first_view_matches_nothing(monkeypatch):
    monkeypatch.setattr(slots, "load_matching", lambda *_: pytest.fail("the first view must stay quick"))
    page = open_page("compare")
    assert page.segmented_control(key="compare_view").value == "Architectures"
    assert page.segmented_control(key="test").value == "Longer stories"


def test_without_the_table_of_architectures_two_models_are_still_compared(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "TABLE", tmp_path / "table.json")
    compare.load_comparison.clear()
    assert open_page("compare", **LINK).get("plotly_chart")
    compare.load_comparison.clear()


def test_with_one_model_the_page_says_what_to_do(monkeypatch):
    monkeypatch.setattr("app.loaders.models.shipped_models", lambda **_: [FIRST])
    page = open_page("compare", compare_view="Two models")
    assert "only one model" in page.info[0].value


def test_models_without_a_common_task_are_reported(monkeypatch):
    monkeypatch.setattr(
        "app.loaders.models.known_tasks", lambda model: ["qa1"] if model == FIRST else ["qa2"]
    )
    page = open_page("compare", **LINK)
    assert "both models know" in page.info[0].value


@pytest.mark.parametrize(
    "query",
    [{"other_model": "<b>"}, {"model": "../../etc"}, {"task": "qa99"}],
    ids=str,
)
def test_a_link_with_unknown_values_still_opens(query):
    page = open_page("compare", **(LINK | query))
    assert not page.error
    assert page.get("plotly_chart")


def test_an_unknown_view_is_the_first():
    page = open_page("compare", compare_view="<b>")
    assert page.segmented_control(key="compare_view").value == "Architectures"
