"""Sources, facts and playing on the story page: what is drawn is what the trace and the probes say."""

import json

import numpy as np
import pytest

from app.loaders import fact_probes, models, stories, traces
from app.widgets.play import IS_DRAWN
from lm2core.babi.known_facts import known_facts, parse_facts
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.story_traces import single_question_trace
from lm2viz.provenance import trace_answer
from lm2viz.stage import shipped
from tests.app.pages import open_page, unpacked

MODEL, EXAMPLE, N_SENTENCES = "babi-qa1-10", "2-two-facts", 11
TASK, SEED = "qa1", 3


@pytest.fixture
def few_stories(monkeypatch):
    """Probes of few stories, learnt anew."""
    monkeypatch.setattr(shipped, "N_STORIES", 24)
    fact_probes.load_fact_probes.clear()
    fact_probes.load_used.clear()
    yield
    fact_probes.load_fact_probes.clear()
    fact_probes.load_used.clear()


def chart_of_sources(page):
    """The chart of the sources, and its alternative text."""
    for chart in page.get("plotly_chart"):
        spec = json.loads(chart.proto.spec)
        if spec["data"][0]["name"] == "directly":
            return spec, chart.proto.alt
    raise AssertionError("no chart of sources")


@pytest.mark.parametrize(("step", "supports"), [(4, {2, 4}), (5, set())])
def test_the_bars_are_the_provenance_of_the_answer_and_its_supporting_sentences_are_marked(step, supports):
    page = open_page(example=EXAMPLE, step=str(step), view="Sources")
    sentences = stories.load_example(EXAMPLE).sentences
    answer = traces.load_answer(MODEL, sentences, step, "Where is the milk?")
    expected = trace_answer(traces.load_trace(MODEL, sentences), single_question_trace(answer, step), 0)
    chart, alt = chart_of_sources(page)
    direct, indirect, control, _ = chart["data"]
    np.testing.assert_allclose(unpacked(direct["x"]), expected.direct, atol=1e-6)
    np.testing.assert_allclose(unpacked(indirect["x"]), expected.indirect, atol=1e-6)
    np.testing.assert_allclose(unpacked(control["x"]), expected.any_slot, atol=1e-6)
    assert {int(name.split()[0]) for name in direct["y"] if name.endswith("*")} == supports
    assert "every slot read equally" in alt
    assert any("The parts sum to the bank within" in c.value for c in page.caption)


def test_another_question_has_other_sources():
    first, second = (
        chart_of_sources(open_page(example=EXAMPLE, step="8", view="Sources", question=question))[0]["data"][
            0
        ]["x"]
        for question in ("Where is John?", "Where is Mary?")
    )
    assert np.abs(unpacked(first) - unpacked(second)).max() > 0.1


def test_beside_the_bars_stands_the_answer_of_the_same_story_without_the_sentence():
    page = open_page(example=EXAMPLE, step="4", view="Sources")
    chart, alt = chart_of_sources(page)
    sentences = stories.load_example(EXAMPLE).sentences[:4]
    lm = models.load_model(MODEL)
    question = "Where is the milk?"
    (answered, p_all), *_ = ranked_words(lm, question, memory_after(lm, sentences))
    shown = {a["y"]: a["text"] for a in chart["layout"]["annotations"]}
    for i in range(4):
        without = memory_after(lm, sentences[:i] + sentences[i + 1 :])
        p = dict(ranked_words(lm, question, without))[answered]
        (text,) = (text for row, text in shown.items() if str(row).startswith(f"{i + 1} "))
        assert text == (f"<b>{p:.0%}</b>" if p <= p_all / 2 else f"{p:.0%}")
    assert f"the answer {answered} has probability {p_all:.0%}, without this sentence" in alt


@pytest.mark.parametrize("view", ["Sources", "Slot words", "Facts"])
def test_before_the_first_sentence_a_view_says_what_to_do(view):
    page = open_page(source="Generated", task=TASK, seed="1", step="0", view=view)
    assert any("No sentence has been read" in i.value for i in page.info)


def test_sources_of_a_question_that_cannot_be_asked_say_so():
    page = open_page(example=EXAMPLE, step="4", view="Sources", question="Where is Zoe?")
    assert any("There is no answer to show" in i.value for i in page.info)


def test_too_long_a_story_says_how_many_sentences_can_be_followed(monkeypatch):
    monkeypatch.setattr("lm2viz.provenance.sources.MAX_SENTENCES", 6)
    page = open_page(example=EXAMPLE, step="9", view="Sources")
    assert any("traces at most 6" in i.value for i in page.info)


def test_facts_are_the_true_ones_beside_what_the_probes_decode(few_stories):
    page = open_page(source="Generated", task=TASK, seed=str(SEED), step="6", view="Facts")
    table = page.dataframe[0].value
    known = known_facts(stories.generate_story(TASK, SEED).statements)[5]
    assert dict(zip(table["fact"], table["true"], strict=True)) == {f: v for f, (v, _) in known.items()}
    by_fact, used = fact_probes.load_fact_probes(MODEL, TASK), fact_probes.load_used(MODEL, TASK)
    assert any(used.values())
    sentences = stories.generate_story(TASK, SEED).sentences
    bank = traces.load_trace(MODEL, sentences).select("hook_bank", story=0, segment=5)  # Daniel just moved
    for row in table.itertuples():
        decoded, _ = by_fact[row.fact].decode(bank)
        assert row.decoded == f"{'✓' if decoded == row.true else '✗'} {decoded}"
        assert row.slot == by_fact[row.fact].slot
        assert row.used == ("yes" if used[row.fact] else "no")
        untrained, majority = (by_fact[row.fact].accuracy(n).value for n in ("untrained model", "majority"))
        assert row.controls == f"{untrained:.0%} · {majority:.0%}"
        assert table["held-out"][row.Index].startswith(f"{by_fact[row.fact].accuracy().value:.0%} (")
    assert any(f"Known so far: {len(known)} facts" in m.value for m in page.markdown)


def test_probes_never_learn_from_a_story_that_can_be_shown():
    shown = {stories.generate_story(TASK, seed).sentences for seed in range(200)}
    learnt = [story.sentences for story in shipped.sample_of(TASK).stories]
    assert not shown & set(learnt)
    assert shipped.FIRST_SEED > 10_000  # the page's largest


def test_stories_to_learn_from_are_fewer_where_they_are_long():
    assert len(shipped.sample_of("qa1").stories) == shipped.N_STORIES
    n = [len(story.sentences) for story in shipped.sample_of("qa3").stories]
    assert 0 <= shipped.MAX_SENTENCES - sum(n) < max(n) * 3


def paste_story(text):
    page = open_page(source="Own", view="Facts", step="1")
    page.text_area[0].set_value(text)
    next(b for b in page.button if b.label == "Read story").click().run()
    assert not page.exception
    return page


def test_facts_of_an_example_and_of_a_pasted_story_are_those_of_its_sentences(monkeypatch, few_stories):
    monkeypatch.setattr(shipped, "N_STORIES", 60)  # enough to decode a place
    page = open_page(example=EXAMPLE, view="Facts", step="1")
    known = parse_facts(stories.load_example(EXAMPLE).sentences)[0]
    shown = page.dataframe[0].value
    assert dict(zip(shown["fact"], shown["true"], strict=True)) == {f: v for f, (v, _) in known.items()}
    table = paste_story("Mary went to the kitchen.").dataframe[0].value
    assert table["true"].tolist() == ["kitchen"]
    assert table["decoded"].tolist() == ["✓ kitchen"]


def test_a_story_with_unknown_facts_says_so():
    page = paste_story("Mary in the kitchen.")
    assert any("The facts of this story are unknown" in i.value for i in page.info)


def test_play_begins_again_at_the_end_and_pauses_when_pressed_again():
    page = open_page(example=EXAMPLE)
    assert page.slider(key="step").value == N_SENTENCES
    page.button(key="play").click().run()
    assert (page.slider(key="step").value, page.button(key="play").label) == (0, "Pause")
    page.button(key="play").click().run()
    assert (page.slider(key="step").value, page.button(key="play").label) == (0, "Play")
    assert "playing" not in page.query_params


def test_drawing_the_page_while_it_plays_does_not_move_the_story():
    """Only the clock does; that it does is tested in the browser."""
    page = open_page(example=EXAMPLE, step="4")
    page.button(key="play").click().run()
    page.run()
    assert page.slider(key="step").value == 4
    assert IS_DRAWN not in page.session_state


def test_another_story_does_not_play_on():
    page = open_page(example=EXAMPLE, step="4")
    page.button(key="play").click().run()
    page.selectbox(key="example").set_value("1-one-fact").run()
    assert page.button(key="play").label == "Play"


def test_play_stops_at_the_end_for_good():
    page = open_page(example=EXAMPLE, step="10")
    page.button(key="play").click().run()
    page.button(key="next").click().run()
    assert page.button(key="play").label == "Play"
    page.button(key="back").click().run()
    assert page.button(key="play").label == "Play"
