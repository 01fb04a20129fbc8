"""The page of slots: its figures are those of the analyses, a point opens its story, no link breaks it."""

import json
from urllib.parse import parse_qs

import numpy as np
import pytest

from app.loaders import slots
from app.loaders.stories import generate_story
from lm2viz.sample.story_sample import StorySample
from lm2viz.slots.contexts import READS, WRITES
from lm2viz.stats.places import first_plotted_story
from tests.app.pages import open_page, shown_verdict, unpacked

MODEL, TASK, N = "babi-qa1-3", "qa1", 50
SAMPLE = (MODEL, StorySample(TASK, N))
LINK = {"model": MODEL, "task": TASK, "n_stories": str(N)}


@pytest.fixture(scope="module")
def result():
    slot, fact = slots.suggest_slot(MODEL, TASK)
    return slots.load_map(*SAMPLE, fact, (slot,))


def figures(page):
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def texts(page):
    return [element.value for element in (*page.text, *page.markdown, *page.caption)]


def story_link(page):
    """Query of the link to the page of stories."""
    (link,) = [one.proto for one in page.get("page_link") if one.proto.label.startswith("Open on")]
    return {key: value for key, (value,) in parse_qs(link.query_string).items()}


def test_the_points_are_the_map_and_its_controls_stand_beside_it(result):
    page = open_page("slots", **LINK)
    marks = [trace for trace in figures(page)[0]["data"] if trace["type"] == "scatter"]
    points = marks[: len(result.figure().data) - 3]
    plotted = np.concatenate([np.stack([unpacked(t["x"]), unpacked(t["y"])], axis=1) for t in points])
    assert len(plotted) == len(result.plotted.coordinates)
    np.testing.assert_allclose(
        np.sort(plotted, axis=0), np.sort(result.plotted.coordinates[:, :2], axis=0), atol=1e-6
    )
    assert [trace["name"] for trace in marks[-3:]] == ["model", "shuffled", "untrained"]
    verdict, about, *_, silhouette = result.summary().splitlines()
    assert shown_verdict(page) == verdict
    assert f"{about}\n{silhouette}" in [t.value for t in page.text]
    np.testing.assert_allclose(page.dataframe[0].value["value"], result.table()["value"])


def test_the_link_of_a_point_shows_its_story_at_its_step_and_the_way_of_its_slot(result):
    row = result.plotted.rows.iloc[137]
    seed, step = int(row["story"]), int(row["segment"]) + 1
    page = open_page("slots", **LINK, seed=str(seed), step=str(step))
    story = generate_story(TASK, seed)
    (lines,) = [t for t in texts(page) if f"▶ {step}  {story.sentences[step - 1]}" in t]
    assert all(sentence in lines for sentence in story.sentences)
    assert figures(page)[-1]["layout"]["title"]["text"].startswith(f"Slot {row['slot']} through story {seed}")


def test_the_link_to_the_story_page_opens_exactly_that_story():
    page = open_page("slots", **LINK, seed="17", step="4", slot="3")
    query = story_link(page)
    assert query == {
        "model": MODEL, "source": "Generated", "task": TASK, "seed": "17", "step": "4", "slot": "3",
    }  # fmt: skip
    opened = open_page("story", **query)
    sentences = generate_story(TASK, 17).sentences
    assert any(f"▶ 4  {sentences[3]}" in t and f"✓ 1  {sentences[0]}" in t for t in texts(opened))


def test_before_a_click_the_first_story_on_the_map_is_shown(result):
    page = open_page("slots", **LINK)
    assert page.number_input(key="seed").value == first_plotted_story(result)
    assert len(figures(page)) == 2


def test_three_dimensions_and_several_slots_are_drawn():
    page = open_page("slots", **LINK, map_axes="3-D", map_slots=["1", "20"], fact="slot")
    assert {t["name"] for t in figures(page)[0]["data"] if t["type"] == "scatter3d"} == {"1", "20"}


def test_a_story_or_slot_off_the_map_is_reported(result):
    fitted = next(s for s in range(N) if s not in set(result.plotted.rows["story"]))
    page = open_page("slots", **LINK, seed=str(fitted))
    assert f"Story {fitted} is not on the map" in page.info[0].value
    page = open_page("slots", **LINK, map_slots=["2"], slot="5")
    assert "Slot 5 is not on the map" in page.info[0].value


def test_a_map_of_too_many_points_takes_fewer_stories(monkeypatch):
    monkeypatch.setattr(slots, "MAX_POINTS", 200)
    slots.load_map.clear()
    few = slots.load_map(*SAMPLE, "place of Mary", (1, 2))
    assert few.n_fit_stories + few.plotted.rows["story"].nunique() == 10
    slots.load_map.clear()


def test_no_slot_is_refused_in_one_line():
    page = open_page("slots", **LINK)
    page.multiselect(key="map_slots").set_value([]).run()
    assert not page.exception
    assert "choose at least one" in page.error[0].value


def test_words_and_questions_are_those_of_the_slot_with_controls():
    page = open_page("slots", **LINK, slots_view="Words and questions", slot="13")
    contexts = slots.load_contexts(*SAMPLE)
    of_slot = [*contexts.of(13, WRITES), *contexts.of(13, READS)]
    table = page.dataframe[0].value
    assert list(table["text"]) == [one.text for one in of_slot]
    np.testing.assert_allclose(table["in the other slots"], [one.in_other_slots.value for one in of_slot])
    bars = [t for t in figures(page)[0]["data"] if t["type"] == "bar"]
    np.testing.assert_allclose(
        np.concatenate([unpacked(b["x"]) for b in bars]), [one.strength.value for one in of_slot]
    )
    for kind in (WRITES, READS):
        assert "\n".join(map(str, contexts.contexts[kind][13])) in texts(page)


def test_the_explanation_of_the_slot_stands_beside_its_controls_and_all_slots():
    page = open_page("slots", **LINK, slots_view="Explanation", slot="13")
    explanations = slots.load_explanations(*SAMPLE)
    of_slot = explanations.of(13)
    assert shown_verdict(page) == of_slot.verdict
    assert f"best explained by {of_slot.name}: correlation {of_slot.score.value:.2f}" in of_slot.verdict
    one, ranked = (frame.value for frame in page.dataframe)
    assert list(one["value"])[::2] == [of_slot.score.value, of_slot.shuffled.value, of_slot.random_slot.value]
    assert list(ranked["slot"]) == [slot.slot for slot in explanations.slots]


def test_a_task_with_other_facts_is_coloured_by_one_of_its_own():
    page = open_page("slots", **LINK, fact="place of Mary", slot="3")
    page.selectbox(key="task").set_value("qa2").run(timeout=120)
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize(
    "query",
    [{"map_slots": ["99"]}, {"map_slots": ["<b>"]}, {"fact": "<script>"}, {"slot": "-4"}, {"slot": "999"},
     {"seed": "99999999"}, {"step": "-1"}, {"n_stories": "7"}, {"task": "qa99"}, {"model": "no"},
     {"map_axes": "4-D"}, {"slots_view": "x"}, {"map_slots": ["1", "2", "3", "4", "5", "6"]}],
    ids=str,
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("slots", **(LINK | query))
    assert not page.error
    assert len(figures(page)) >= 1
    assert all(chart.proto.alt for chart in page.get("plotly_chart"))


def test_a_model_without_a_task_it_knows_is_reported(monkeypatch):
    monkeypatch.setattr("app.loaders.models.known_tasks", lambda model: [])
    assert "This model lacks words of every task" in open_page("slots").info[0].value
