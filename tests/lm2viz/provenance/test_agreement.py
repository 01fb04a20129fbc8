"""Whether the sentences found are the supporting facts, against chance and controls."""

from dataclasses import replace

import numpy as np
import pytest

from lm2core.traces.trace import Trace
from lm2viz.provenance import agreement
from tests.handmade import SLOT_OF, handmade_reader, handmade_stories
from tests.lm2viz.provenance.conftest import STORIES, recorded


def with_supports(asked: Trace, supports) -> Trace:
    """The same questions with other supports."""
    questions = [
        {**question, "support": support}
        for question, support in zip(asked.info["asked"], supports, strict=True)
    ]
    return replace(asked, info={**asked.info, "asked": questions})


@pytest.fixture(scope="module")
def many():
    """More stories, as the handmade model reads them."""
    return recorded(handmade_reader(), handmade_stories(40, n_sentences=8, seed=5))


def test_the_handmade_model_s_supports_are_all_found(handmade):
    result = agreement(*handmade)
    for method in ("written", "origin"):
        found = result.estimate(method=method)
        assert (found.value, found.high, found.n) == (1, 1, 15)
        assert 0.7 < found.low < 0.9  # Wilson: fifteen stories do not make a certainty
    row = result.rows[(result.rows["measure"] == "all_found") & (result.rows["questions"] == "all")].iloc[0]
    assert row["chance"] == pytest.approx((11 / 7 + 4 / 5) / 15)
    assert result.error < 1e-6


def test_chance_of_several_supports_is_that_of_a_random_ranking(handmade):
    trace, asked = handmade
    result = agreement(trace, with_supports(asked, [(0, 3)] * 15))
    chance = result.rows.set_index(["measure", "method", "questions"])["chance"]
    assert chance["all_found", "origin", "all"] == pytest.approx((11 / 21 + 4 / 10) / 15)
    assert chance["precision", "origin", "all"] == pytest.approx((11 * 2 / 7 + 4 * 2 / 5) / 15)


def test_random_supports_are_found_by_chance(many):
    trace, asked = many
    rng = np.random.default_rng(0)
    supports = [tuple(rng.permutation(8)[:2].tolist()) for _ in range(40)]
    found = agreement(trace, with_supports(asked, supports)).estimate("precision")
    assert found.low < 2 / 8 < found.high
    assert found.high < 0.5


def test_reading_the_slots_of_other_people_loses_the_supports(many):
    trace, asked = many
    name = "blocks.1.mem.hook_read_pattern"
    slots, n_slots = list(SLOT_OF.values()), asked.arrays[name].shape[-1]
    other = np.arange(n_slots)
    other[slots] = np.roll(slots, 1)
    shuffled = replace(asked, arrays={**asked.arrays, name: asked.arrays[name][..., other]})
    assert agreement(trace, shuffled).estimate().value < 1 / 8  # under chance: another's sentence
    assert agreement(trace, asked).estimate().value == 1


def test_one_story_has_no_interval_in_any_figure():
    told = agreement(*recorded(handmade_reader(), handmade_stories(1, n_sentences=6))).summary()
    assert "nan" not in told
    assert "every slot read alike" in told


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
        "this model",
        "control: chance",
        "control: every slot read alike",
        "control: untrained model",
    ]


def test_parts_give_what_one_trace_gives(handmade):
    reader = handmade_reader()
    parts = [recorded(reader, some) for some in (STORIES[:6], STORIES[6:])]
    apart = agreement([told for told, _ in parts], [asked for _, asked in parts])
    together = agreement(*handmade)
    assert apart.n_stories == together.n_stories == 15
    assert apart.rows["value"].equals(together.rows["value"])


def test_the_same_seed_gives_the_same_interval(random):
    first, second = (agreement(*random, follow="stream", seed=4).rows for _ in range(2))
    assert first.equals(second)


def test_questions_that_are_not_finite_are_left_out_and_counted(handmade):
    trace, asked = handmade
    banks = trace.arrays["hook_bank"].copy()
    banks[2] = np.nan
    result = agreement(replace(trace, arrays={**trace.arrays, "hook_bank": banks}), asked)
    assert (result.n_nan, result.estimate().n) == (1, 14)
    assert "1 questions left out: not finite" in result.summary()


def test_questions_without_supports_are_refused(handmade):
    trace, asked = handmade
    with pytest.raises(ValueError, match="no question with known supports and finite scores"):
        agreement(trace, with_supports(asked, [()] * 15))


def test_both_measures_are_told_with_chance_and_n(random):
    told = agreement(*random).summary()
    assert "15 stories, intervals by story, following copies" in told
    for measure in ("all supports in top k", "precision at k"):
        assert f"where it came from, {measure}, all questions" in told
    assert "chance 15.8%" in told
    assert "every slot read alike" in told
