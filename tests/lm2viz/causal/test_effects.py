"""Effects come with placebos that do nothing where nothing is held."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lm2core.babi.tasks import make_stories
from lm2core.reading.checkpoints import load
from lm2viz.causal import ClampGate, Mean, Resample, Swap, Zero, effect, effects, placebos, run, sample_parts
from lm2viz.causal.effects import INTERVENTION, MEASURES, OTHER_SLOT, RANDOM_VECTOR
from lm2viz.causal.running import question_texts
from lm2viz.figures.effects import effect_points
from tests.handmade import MEMORY_BLOCK, SLOT_OF, UNUSED, handmade_lm, handmade_stories, story_of
from tests.lm2viz.causal.test_interventions import moves

LM, LAST = handmade_lm(), 6
STORIES = handmade_stories(60, n_sentences=LAST)


def about(person, n=25):
    return [s for s in handmade_stories(120, n_sentences=LAST) if f"where {person}" in s.questions[0].text][
        :n
    ]


def test_zero_of_a_persons_slot_has_an_effect_and_its_placebos_have_none():
    result = effect(LM, about("Mary"), [Zero(slots=(SLOT_OF["Mary"],), step=LAST)])
    accuracy = result.of("accuracy")
    assert accuracy.before.value == 1
    assert accuracy.change.high < -0.4
    assert accuracy.p < 0.01
    placebo = result.of("accuracy", OTHER_SLOT)
    assert (placebo.change.value, placebo.p) == (0, 1)
    assert -0.2 < placebo.change.low < 0 < placebo.change.high < 0.2  # of 25 stories none is not never
    assert 0.8 < accuracy.before.low < accuracy.before.high == 1
    assert placebo.p_apart < 0.01


def test_slots_that_hold_nothing_change_nothing():
    result = effect(LM, STORIES, [Zero(slots=(UNUSED[0],), step=LAST)])
    for measure in MEASURES:
        assert result.of(measure).change.value == pytest.approx(0, abs=1e-3)


def test_the_placebo_on_other_slots_hits_those_who_live_there():
    """Zero of an unused slot: four others, three of them held, so a question loses its own in one of four."""
    result = effect(LM, about("John"), [Zero(slots=(UNUSED[0],), step=LAST)])
    lost = effect(LM, about("John"), [Zero(slots=(SLOT_OF["John"],), step=LAST)]).of("accuracy").change.value
    assert result.of("accuracy", OTHER_SLOT).change.value == pytest.approx(lost / 4)


def test_the_random_vector_is_as_long_as_the_change_and_on_the_same_slot(monkeypatch):
    question_list = []
    ask = placebos.ask_banks
    monkeypatch.setattr(
        placebos, "ask_banks", lambda r, t, banks, *h: (question_list.append(banks), ask(r, t, banks, *h))[1]
    )
    zero = [Zero(slots=(3,), step=LAST)]
    clean, edited = (run(LM, STORIES, edits).question_banks for edits in ((), zero))
    effect(LM, STORIES, zero, n_placebos=2)
    noisy, other = question_list
    np.testing.assert_allclose((edited - clean).norm(dim=-1), (noisy - clean).norm(dim=-1), atol=1e-5)
    assert (edited - clean).norm() > 1
    assert not noisy.allclose(edited)
    assert (noisy - clean)[:, [0, 1, 2, 4]].eq(0).all()
    assert not noisy.allclose(other)


def test_a_closed_output_gate_is_held_against_random_vectors_as_long_as_what_it_shuts_out(monkeypatch):
    name = f"blocks.{MEMORY_BLOCK}.hook_mem_out"
    added, ask = [], placebos.ask_banks

    def watched(lm, texts, banks, hooks=()):
        keep = (name, lambda value, hook: added.append(value.clone()))
        return ask(lm, texts, banks, [*hooks, keep])

    watched(LM, question_texts(STORIES), run(LM, STORIES).question_banks)
    monkeypatch.setattr(placebos, "ask_banks", watched)
    result = effect(LM, STORIES, [ClampGate(gate="out", value=0)], n_placebos=2)
    opened, closed, noisy, other = added
    assert closed.eq(0).all()
    np.testing.assert_allclose((noisy - opened).norm(dim=-1), opened.norm(dim=-1), rtol=1e-4)
    assert not noisy.allclose(other)
    assert result.of("accuracy", RANDOM_VECTOR).change.n == 60
    assert result.of("accuracy", RANDOM_VECTOR).change.value > result.of("accuracy").change.value
    assert "Does not propagate" in result.summary()


def test_a_gate_that_is_clamped_in_one_block_is_held_against_vectors_in_that_block_alone(monkeypatch):
    """Later blocks respond to it: what they do is no part of the edit."""
    lm, lengths = load("babi-qa1-3"), []
    monkeypatch.setattr(
        placebos, "_random", lambda length, *_: lengths.append(length) or torch.zeros(*length.shape[:-1], 64)
    )
    clamp = ClampGate(gate="out", value=0.5, block=1)
    effect(lm, make_stories("qa1", 2, seed=0), [clamp], n_placebos=1)
    of_banks, of_reads = lengths
    assert of_banks.eq(0).all()
    assert of_reads.gt(0).any()


def test_the_figures_of_a_swap_are_those_counted_by_hand():
    stories = [story_of(moves(("Mary", place)), "Mary") for place in ("office", "kitchen", "kitchen")]
    result = effect(LM, stories, [Swap(slots=(3,), other=1)])
    accuracy = result.of("accuracy")
    assert (accuracy.before.value, accuracy.after.value) == (1, pytest.approx(2 / 3))
    it, clean = run(LM, stories, [Swap(slots=(3,), other=1)]), run(LM, stories)
    answer, rival = (
        clean.answer_ids[0],
        clean.logits[0].clone().index_fill(0, clean.answer_ids[:1], -99).argmax(),
    )
    expected = [(r.logits[0, answer] - r.logits[0, rival]).item() for r in (clean, it)]
    change = result.of("logit difference").change.value
    assert change == pytest.approx((expected[1] - expected[0]) / 3, abs=1e-4)


def test_with_shuffled_answers_accuracy_is_chance_and_no_slot_matters():
    stories, rng = handmade_stories(300, n_sentences=LAST, seed=5), np.random.default_rng(0)
    answers = rng.permutation([s.questions[0].answer for s in stories])
    shuffled = [
        replace(s, questions=(replace(s.questions[0], answer=str(answer)),))
        for s, answer in zip(stories, answers, strict=True)
    ]
    zero = [Zero(slots=(SLOT_OF["Mary"],), step=LAST)]
    true, control = (effect(LM, each, zero, n_placebos=1).of("accuracy") for each in (stories, shuffled))
    assert control.before.low < 1 / 4 < control.before.high
    assert control.change.low < 0 < control.change.high
    assert control.p > 0.05 > true.p


def test_what_has_no_placebo_says_so():
    result = effect(LM, STORIES, [ClampGate(gate="out", value=0)])
    assert result.summary().count("not possible here") == len(MEASURES)
    assert np.isnan(result.of("accuracy", OTHER_SLOT).change.value)
    notes = [note.text for note in result.figure().layout.annotations]
    assert notes.count("not possible") == len(MEASURES)


def test_the_same_seed_gives_the_same_figures_and_another_other_placebos():
    first, again, other = (
        effect(LM, STORIES, [Zero(slots=(3,), step=LAST)], seed=seed, n_placebos=2).table()
        for seed in (0, 0, 1)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_summary_table_and_figure_hold_finding_and_placebos():
    result = effect(LM, STORIES, [Zero(slots=(3,), step=LAST)])
    table, figure = result.table(), result.figure()
    assert list(table["variant"].unique()) == [INTERVENTION, OTHER_SLOT, RANDOM_VECTOR]
    assert (table["n"] == 60).all()
    right, other = result.of("accuracy"), result.of("accuracy", OTHER_SLOT)
    levels = f"from {right.before.value:.0%} to {right.after.value:.0%}"
    assert result.summary().splitlines()[:2] == [
        f"Erasing slot 3 lowers the share of right answers {levels}; the same on other slots, to "
        f"{other.after.value:.0%}.",
        "Effect of zero in handmade: 60 stories, 95 % intervals over stories",
    ]
    assert len(figure.data) == len(MEASURES)
    assert figure.data[2].x[0] == result.of("accuracy").change.value
    assert list(figure.layout.xaxis2.range) == list(figure.layout.xaxis3.range) == [-1, 1]
    low, high = figure.layout.xaxis.range
    assert low == -high


def test_an_effect_of_exactly_nothing_can_be_drawn():
    zeros = np.zeros((2, 1))
    figure = effect_points(zeros, zeros, zeros, variants=["a", "b"], measures=["m"], is_share=[False])
    assert list(figure.layout.xaxis.range) == [-1, 1]


def test_no_interventions_or_no_placebos_are_refused():
    with pytest.raises(ValueError, match="0 interventions and 5 placebos; give at least one of each"):
        effect(LM, STORIES, [])


EVERY_WAY = {
    "a slot": [Zero(slots=(3,))],
    "a late step, which a short part does not have": [Zero(slots=(3,), step=6)],
    "mean": [Mean(slots=(1, 3), step=2)],
    "another story's": [Resample(slots=(3,), seed=4)],
    "one story's": [Swap(slots=(3,), other=4)],
    "two together": [Resample(slots=(3,)), Mean(slots=(1,))],
    "the read": [Zero(slots=(3,)), ClampGate(gate="out", value=0.5)],
}


@pytest.mark.parametrize("edits", EVERY_WAY.values(), ids=EVERY_WAY)
def test_an_effect_does_not_depend_on_the_size_of_its_parts(edits, monkeypatch):
    """Stories of 3 to 6 sentences and questions of two lengths: parts are padded differently."""
    stories = [*handmade_stories(3, n_sentences=6), *handmade_stories(4, n_sentences=3)]
    no_question = replace(handmade_stories(1, n_sentences=4, seed=9)[0], questions=())
    stories[2:2] = [no_question]
    at_once = effect(LM, stories, edits, n_placebos=2)
    monkeypatch.setattr(sample_parts, "PART_SENTENCES", 4)
    in_parts = effect(LM, stories, edits, n_placebos=2)
    assert at_once.n_stories == in_parts.n_stories == 7
    pd.testing.assert_frame_equal(in_parts.table(), at_once.table(), rtol=1e-4, atol=1e-4)


def test_only_one_part_of_an_effect_is_read_at_a_time(monkeypatch):
    sizes, read = [], effects.run
    monkeypatch.setattr(
        effects,
        "run",
        lambda lm, stories, *args, **named: sizes.append(len(stories)) or read(lm, stories, *args, **named),
    )
    monkeypatch.setattr(sample_parts, "PART_SENTENCES", 2 * LAST)
    effect(LM, STORIES[:6], [Zero(slots=(3,))], n_placebos=1)
    assert sizes == [2] * 9  # three parts: unedited, edited, placebo
