"""The noise page: its figures are those of the traces, with their controls, and no link breaks it."""

import json

import numpy as np
import pytest

from app.loaders import noise
from app.widgets.pickers import as_text
from lm2viz.stats.noise import BACKGROUND, EVERY_SLOT, FACTS, MEANING, is_fact, segment_gates
from tests.app.pages import open_page, unpacked

TEXT = ("qa2", "1k", 3)
LINK = {"noise_task": "qa2", "length": "1k", "seed": "3"}


@pytest.fixture(scope="module")
def trace():
    return noise.load_reading(*TEXT, True)


def figures(page):
    return [json.loads(chart.proto.spec) for chart in page.get("plotly_chart")]


def words_on(page):
    return " ".join(element.value for element in (*page.markdown, *page.text, *page.caption))


@pytest.mark.parametrize("measure", list(MEANING))
def test_the_bars_are_the_gates_of_the_trace(trace, measure):
    page = open_page("noise", gate_measure=measure, **LINK)
    strips = next(
        f for f in figures(page) if f["layout"].get("title", {}).get("text", "").startswith("Input")
    )
    gates, facts = segment_gates(trace, measure), is_fact(trace)
    bars = [bar for bar in strips["data"] if bar["type"] == "bar"]
    drawn = np.full(gates.shape, np.nan)
    for i, bar in enumerate(bars):  # background and facts of one block after the other
        drawn[i // 2, unpacked(bar["x"]) - 1] = unpacked(bar["y"])
    np.testing.assert_allclose(drawn, gates, atol=1e-6)
    assert [len(unpacked(b["x"])) for b in bars[:2]] == [(~facts).sum(), facts.sum()]


def test_the_table_has_each_mean_with_interval_n_and_the_untrained_model(trace):
    page = open_page("noise", gate_measure=EVERY_SLOT, **LINK)
    shown = page.dataframe[0].value
    gates, facts = segment_gates(trace, EVERY_SLOT), is_fact(trace)
    control = segment_gates(noise.load_reading(*TEXT, False), EVERY_SLOT)
    for column, of_model, chosen in (
        (FACTS, gates, facts),
        (BACKGROUND, gates, ~facts),
        (f"untrained: {FACTS}", control, facts),
        (f"untrained: {BACKGROUND}", control, ~facts),
    ):
        for block in range(4):
            value, rest = shown[column][block].split(" (")
            assert float(value) == pytest.approx(of_model[block, chosen].mean(), rel=6e-3)
            assert f"n = {chosen.sum()})" in rest


def test_the_answer_stands_beside_the_facts_alone_and_a_fresh_bank(trace):
    page = open_page("noise", **LINK)
    n = trace.n_segments
    answer, fresh = noise.load_answer(*TEXT, n), noise.load_answer(*TEXT, 0)
    facts = noise.load_answer_of_facts(*TEXT, int(is_fact(trace).sum()))
    bars = next(f["data"] for f in figures(page) if len(f["data"]) == 3)
    by_name = {bar["name"]: dict(zip(bar["y"], bar["x"], strict=True)) for bar in bars}
    right = trace.info["answer"]
    for name, expected in (
        ("this text", answer),
        ("the facts so far, no background", facts),
        ("control: fresh bank", fresh),
    ):
        assert by_name[name][right] == pytest.approx(expected.probabilities[expected.words.index(right)])
    assert f"**{as_text(trace.info['question'])}** After {n} of {n} segments" in words_on(page)
    assert f"the model answers **{answer.words[0]}** ({answer.probabilities[0]:.0%})" in words_on(page)


def test_facts_are_marked_in_the_text_and_background_is_plain(trace):
    first = int(np.flatnonzero(is_fact(trace))[0])
    page = open_page("noise", step=str(first + 1), **LINK)
    fact = trace.info["segments"][first]["text"].rstrip(".")
    (marked,) = [m.value for m in page.markdown if f"▶ {first + 1}  fact 1" in m.value]
    assert fact in marked
    around = trace.info["segments"][first - 1]["text"]
    assert any(text.value == f"✓ {first}  {around}" for text in page.text)


def test_the_facts_alone_have_no_background_and_the_page_says_so():
    page = open_page("noise", length="0k")
    assert set(page.dataframe[0].value[BACKGROUND]) == {"none in this text"}
    assert "0 background" in words_on(page)


def test_before_the_first_segment_every_bank_is_the_fresh_one():
    page = open_page("noise", step="0", **LINK)
    bars = next(f["data"] for f in figures(page) if len(f["data"]) == 3)
    assert list(bars[0]["x"]) == list(bars[1]["x"]) == list(bars[2]["x"])


def test_every_chart_has_a_text():
    page = open_page("noise", **LINK)
    charts = page.get("plotly_chart")
    assert len(charts) == 3
    assert all(chart.proto.alt for chart in charts)


@pytest.mark.parametrize(
    "query",
    [{"step": "9999"}, {"step": "-3"}, {"noise_task": "qa20"}, {"noise_task": "<b>"}, {"length": "128k"},
     {"seed": "-1"}, {"seed": "x"}, {"gate_measure": "no"}],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("noise", **(LINK | query if "seed" not in query else query))
    assert "the model answers" in words_on(page)


def test_without_the_model_the_page_says_what_to_do(monkeypatch):
    monkeypatch.setattr(noise, "MODEL", "no-such-model")
    page = open_page("noise")
    assert "no-such-model is not installed" in page.info[0].value
    assert not page.get("plotly_chart")


def test_facts_that_do_not_fit_are_reported_in_one_line(monkeypatch):
    monkeypatch.setattr(noise, "LENGTHS", ("0k", "1k"))
    monkeypatch.setattr("lm2core.babilong.samples.TOKENS_A_ROW", 900)
    noise.load_sample.clear()
    page = open_page("noise", noise_task="qa3", seed="77", length="1k")
    assert "1k is too short for qa3" in page.error[0].value
    noise.load_sample.clear()
