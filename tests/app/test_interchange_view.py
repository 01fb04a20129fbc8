"""Interventions, Interchange: the finding leads, and is the analysis's; what cannot be had is one line."""

import pytest

from app.loaders import interchange
from lm2viz.sample.story_sample import StorySample
from tests.app.pages import open_page, shown_verdict

MODEL, FACT, N = "babi-qa1-3", "place of Mary", 40
LINK = {"model": MODEL, "edits_view": "Interchange", "effect_n": str(N), "interchange_fact": FACT}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(interchange, "N_STORIES", (12, N, 100))


def measured(page):
    page.button(key="interchange_button").click().run(timeout=120)
    assert not page.exception
    return page


def test_the_page_begins_with_the_verdict_of_the_same_interchange():
    page = measured(open_page("interventions", **LINK, interchange_slots="13", interchange_donors="2"))
    result = interchange.load_interchange(MODEL, StorySample("qa1", N, 0), FACT, (13,), 2)
    assert shown_verdict(page) == result.verdict
    assert f"{result.of().interchange.value:.0%} of its answers become" in shown_verdict(page)
    (numbers,) = (text.value for text in page.text)
    assert numbers == result.summary()
    assert [chart.proto.alt for chart in page.get("plotly_chart")] == [result.summary()]


def test_a_link_opens_the_measurement_and_another_slot_asks_for_it_again():
    page = measured(open_page("interventions", **LINK, interchange_slots="13", interchange_donors="2"))
    link = {key: value if isinstance(value, str) else value[0] for key, value in page.query_params.items()}
    assert "Slot 13" in shown_verdict(open_page("interventions", **link))
    page.multiselect(key="interchange_slots").set_value([7]).run()
    assert not page.exception
    assert any("Press **Measure**" in info.value for info in page.info)


@pytest.mark.parametrize(
    ("task", "has", "lacks"),
    [("qa1", "place of Mary", "place of apple"), ("qa2", "place of apple", "west of office")],
)
def test_only_facts_of_the_task_are_offered(task, has, lacks):
    page = open_page("interventions", model=MODEL, edits_view="Interchange", effect_task=task)
    offered = page.selectbox(key="interchange_fact").options
    assert has in offered
    assert lacks not in offered


def test_too_few_stories_are_one_line():
    page = measured(open_page("interventions", **LINK | {"effect_n": "12"}))
    (error,) = page.error
    assert "give more stories" in error.value
    assert "\n" not in error.value


@pytest.mark.parametrize("wrong", [{"interchange_slots": "99"}, {"interchange_fact": "place of Bilbo"}])
def test_a_link_with_a_slot_or_a_fact_that_is_not_there_opens_without_it(wrong):
    page = open_page("interventions", **LINK | wrong)
    assert not page.multiselect(key="interchange_slots").value
    assert page.selectbox(key="interchange_fact").value.startswith("place of ")
