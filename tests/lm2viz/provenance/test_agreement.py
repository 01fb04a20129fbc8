"""Whether the sentences found are the supporting facts, against chance and controls."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.traces.trace import Trace
from lm2viz.provenance import agreement
from tests.handmade import SLOT_OF, handmade_lm, handmade_stories
from tests.lm2viz.provenance.conftest import STORIES, recorded


def with_supports(question_list: Trace, supports) -> Trace:
    """The same questions with other supports."""
    questions = [
        {**question, "support": support}
        for question, support in zip(question_list.info["asked"], supports, strict=True)
    ]
    return replace(question_list, info={**question_list.info, "asked": questions})


@pytest.fixture(scope="module")
def many():
    """More stories, as the handmade model reads them."""
    return recorded(handmade_lm(), handmade_stories(40, n_sentences=8, seed=5))


def test_the_handmade_model_s_supports_are_all_found(handmade):
    result = agreement(*handmade)
    for method in ("written", "origin"):
        outcome = result.estimate(method=method)
        assert (outcome.value, outcome.high, outcome.n) == (1, 1, 15)
        assert 0.7 < outcome.low < 0.9  # Wilson: fifteen stories do not make a certainty
    row = result.rows[(result.rows["measure"] == "all_found") & (result.rows["questions"] == "all")].iloc[0]
    assert row["chance"] == pytest.approx((11 / 7 + 4 / 5) / 15)
    assert result.error < 1e-6


def test_chance_of_several_supports_is_that_of_a_random_ranking(handmade):
    trace, question_list = handmade
    result = agreement(trace, with_supports(question_list, [(0, 3)] * 15))
    chance = result.rows.set_index(["measure", "method", "questions"])["chance"]
    assert chance["all_found", "origin", "all"] == pytest.approx((11 / 21 + 4 / 10) / 15)
    assert chance["precision", "origin", "all"] == pytest.approx((11 * 2 / 7 + 4 * 2 / 5) / 15)


def test_random_supports_are_found_by_chance(many):
    trace, question_list = many
    rng = np.random.default_rng(0)
    supports = [tuple(rng.permutation(8)[:2].tolist()) for _ in range(40)]
    outcome = agreement(trace, with_supports(question_list, supports)).estimate("precision")
    assert outcome.low < 2 / 8 < outcome.high
    assert outcome.high < 0.5


def test_reading_the_slots_of_other_people_loses_the_supports(many):
    trace, question_list = many
    name = "blocks.1.mem.hook_read_pattern"
    slots, n_slots = list(SLOT_OF.values()), question_list.arrays[name].shape[-1]
    other = np.arange(n_slots)
    other[slots] = np.roll(slots, 1)
    shuffled = replace(
        question_list, arrays={**question_list.arrays, name: question_list.arrays[name][..., other]}
    )
    assert agreement(trace, shuffled).estimate().value < 1 / 8  # under chance: another's sentence
    assert agreement(trace, question_list).estimate().value == 1


def test_one_story_has_no_interval_in_any_estimate():
    expected = agreement(*recorded(handmade_lm(), handmade_stories(1, n_sentences=6))).summary()
    assert "nan" not in expected
    assert "every slot read equally" in expected


def test_an_untrained_model_stands_beside_as_control(handmade, random):
    result = agreement(*handmade, untrained=random)
    table = result.table()
    for control in ("untrained", "any_slot"):
        low, value, high = (table[f"{control}{end}"] for end in ("_low", "", "_high"))
        assert ((low <= value) & (value <= high) & (low < high)).all()
        assert (value < 0.9).all()
    assert "untrained" in result.summary()
    names = [trace.name for trace in result.figure().data]
    assert names == [
        "model",
        "control: chance",
        "control: every slot read equally",
        "control: untrained model",
    ]


def test_parts_give_what_one_trace_gives(handmade):
    lm = handmade_lm()
    parts = [recorded(lm, some) for some in (STORIES[:6], STORIES[6:])]
    apart = agreement([expected for expected, _ in parts], [question_list for _, question_list in parts])
    together = agreement(*handmade)
    assert apart.n_stories == together.n_stories == 15
    assert apart.rows["value"].equals(together.rows["value"])


def test_the_same_seed_gives_the_same_interval(random):
    first, second = (agreement(*random, follow="stream", seed=4).rows for _ in range(2))
    assert first.equals(second)


def test_questions_that_are_not_finite_are_left_out_and_counted(handmade):
    trace, question_list = handmade
    banks = trace.arrays["hook_bank"].copy()
    banks[2] = np.nan
    result = agreement(replace(trace, arrays={**trace.arrays, "hook_bank": banks}), question_list)
    assert (result.n_nan, result.estimate().n) == (1, 14)
    assert "excluded: 1 questions (not finite)" in result.summary()


def test_questions_without_supports_are_refused(handmade):
    trace, question_list = handmade
    with pytest.raises(ValueError, match="no question with known supports and finite scores"):
        agreement(trace, with_supports(question_list, [()] * 15))


def test_both_measures_are_given_with_chance_and_n(random):
    expected = agreement(*random).summary()
    assert "15 stories, following copies, 95 % intervals over stories" in expected
    for measure in ("all supports in the top k", "precision at k"):
        assert measure in expected.splitlines()[1]
    assert "chance 15.8%" in expected
    assert "every slot read equally" in expected


def test_what_measures_and_questions_have_in_common_is_stated_once(handmade, random):
    lines = agreement(*handmade, untrained=random).summary().splitlines()
    assert [line.split(":")[0].split(";")[0] for line in lines[1:-1]] == [
        "all questions, all supports in the top k and precision at k alike",
        "  written by",
        "  origin",
        "questions answered right",
    ]
    assert lines[-2] == "questions answered right: the same, all questions"
    assert lines[2].count("%") == 6  # the method and the untrained model, each with its interval
