"""The attention page: pictures and distances are those of the traces, and no link breaks it."""

import json

import numpy as np
import pytest

from app.loaders import stories, traces
from lm2viz.story.read_shift import distances_of_answer, read_pair, self_attention
from tests.app.pages import drawn, open_page, unpacked

MODEL, EXAMPLE, STEP, ASKED = "babi-qa1-10", "2-two-facts", 4, "Where is the milk?"
LINK = {"model": MODEL, "example": EXAMPLE, "step": str(STEP), "question": ASKED}
DIFFERENCE = "Change in attention: the second minus the first"


@pytest.fixture(scope="module")
def story():
    return stories.load_example(EXAMPLE).sentences


def title(step):
    return f"After {step} sentence{'s' * (step != 1)}: where each word looked"


def spec_of(chart):
    return json.loads(chart.proto.spec)


@pytest.mark.parametrize(
    ("query", "other"),
    [
        ({}, STEP - 1),
        ({"compared_bank": "A fresh bank"}, 0),
        ({"compared_bank": "A chosen sentence", "other_step": "1"}, 1),
    ],
    ids=["before", "fresh", "chosen"],
)
@pytest.mark.parametrize(("head_in_link", "head"), [("mean", None), ("2", 2)])
def test_reads_before_and_after_are_those_of_the_two_banks(story, query, other, head_in_link, head):
    page = open_page("attention", block="1", head=head_in_link, **LINK, **query)
    before, after = (traces.load_answer(MODEL, story, s, ASKED).trace for s in (other, STEP))
    pair = read_pair(before, after, 1, head)
    np.testing.assert_allclose(drawn(page, title(other)), pair.before, atol=1e-6)
    np.testing.assert_allclose(drawn(page, title(STEP)), pair.after, atol=1e-6)
    np.testing.assert_allclose(drawn(page, DIFFERENCE), pair.difference, atol=1e-6)
    assert any(f"attention that moved: {pair.distances[-1]:.2f}" in c.value for c in page.caption)


def test_reads_and_self_attention_can_be_means_over_blocks(story):
    page = open_page("attention", all_blocks="true", head="1", attn_head="2", **LINK)
    before, after = (traces.load_answer(MODEL, story, s, ASKED).trace for s in (STEP - 1, STEP))
    of_blocks = [read_pair(before, after, block, 1).after for block in after.blocks]
    np.testing.assert_allclose(drawn(page, title(STEP)), np.mean(of_blocks, axis=0), atol=1e-6)
    trace = traces.load_self_attention(MODEL, story)
    of_blocks = [self_attention(trace, STEP - 1, block, 2) for block in range(4)]
    cells = drawn(page, f"Self-attention in sentence {STEP}")
    np.testing.assert_allclose(cells, np.mean(of_blocks, axis=0), atol=1e-6)
    assert any(c.value.startswith("Mean over blocks, head 1.") for c in page.caption)


def test_self_attention_is_that_of_the_sentence_just_read(story):
    page = open_page("attention", block="2", head="3", **LINK)  # of memory, not of this
    trace = traces.load_self_attention(MODEL, story)
    cells = drawn(page, f"Self-attention in sentence {STEP}")
    np.testing.assert_allclose(cells, self_attention(trace, STEP - 1, 2, None), atol=1e-6)
    np.testing.assert_allclose(cells.sum(1), 1, atol=1e-5)
    assert np.all(np.triu(cells, 1) == 0)


def test_the_distance_stands_beside_a_fresh_bank_and_an_untrained_model(story):
    page = open_page("attention", **LINK)
    spec = next(s for s in map(spec_of, page.get("plotly_chart")) if s["data"][0]["type"] == "scatter")
    shown = {points["name"]: unpacked(points["y"]) for points in spec["data"]}
    of = {s: traces.load_answer(MODEL, story, s, ASKED).trace for s in (0, STEP - 1, STEP)}
    untrained = [traces.load_untrained_read(MODEL, story, s, ASKED) for s in (STEP - 1, STEP)]
    expected = {
        "from the first bank to the second": distances_of_answer(of[STEP - 1], of[STEP]),
        "scale: from a fresh bank to the second": distances_of_answer(of[0], of[STEP]),
        "control: first to second, untrained model": distances_of_answer(*untrained),
    }
    assert shown.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(shown[name], values.ravel(), atol=1e-6)
        assert any(f"{name} {values.mean():.3f} (n = 16)" in c.value for c in page.caption)


def test_both_answers_are_shown(story):
    page = open_page("attention", **LINK)
    for step in (STEP - 1, STEP):
        answer = traces.load_answer(MODEL, story, step, ASKED)
        message = (
            f"After {step} sentences the model answers **{answer.words[0]}** ({answer.probabilities[0]:.0%})."
        )
        assert any(message in m.value for m in page.markdown)


def test_the_same_bank_twice_says_that_nothing_can_differ():
    page = open_page("attention", compared_bank="A chosen sentence", other_step=str(STEP), **LINK)
    assert any("Both banks are the same" in i.value for i in page.info)
    assert not drawn(page, DIFFERENCE).any()


def test_before_the_first_sentence_there_is_no_self_attention():
    page = open_page("attention", **(LINK | {"step": "0"}))
    assert any("No sentence has been read" in i.value for i in page.info)
    assert not drawn(page, DIFFERENCE).any()


def test_every_chart_has_a_text():
    charts = open_page("attention", **LINK).get("plotly_chart")
    assert len(charts) == 3
    assert all(chart.proto.alt for chart in charts)


@pytest.mark.parametrize("question", ["Where is Zoe?", "<img src=x onerror=alert(1)>"])
def test_a_question_with_unknown_words_names_them(question):
    page = open_page("attention", **(LINK | {"question": question}))
    assert "unknown words" in page.error[0].value
    assert not page.get("plotly_chart")


@pytest.mark.parametrize(
    "query",
    [{"step": "999"}, {"step": "x"}, {"block": "77"}, {"head": "9"}, {"head": "<i>"}, {"compared_bank": "no"},
     {"compared_bank": "A chosen sentence", "other_step": "999"},
     {"compared_bank": "A chosen sentence", "other_step": "-2"}, {"model": "../../etc"}, {"example": "no"}],
    ids=lambda q: "&".join(f"{k}={v}" for k, v in q.items()),
)  # fmt: skip
def test_a_link_with_values_out_of_range_still_opens(query):
    page = open_page("attention", **query)
    assert drawn(page, DIFFERENCE).shape[1] == 24
