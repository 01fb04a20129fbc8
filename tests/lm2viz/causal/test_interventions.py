"""Interventions do what they say to a model whose slots are known, leave no hooks, and survive JSON."""

import json

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from lm2core.babi.story import Question, Statement, Story
from lm2core.errors import UserError
from lm2core.traces.hooks import hook_names
from lm2viz.causal import (
    BlockRead,
    ClampGate,
    Erase,
    Freeze,
    Mean,
    Resample,
    ResetBank,
    Swap,
    Zero,
    effect,
    from_json,
    leace,
    mean_projection,
    run,
    to_json,
)
from lm2viz.causal.clamped_gates import GATES
from lm2viz.causal.editing import RunContext
from tests.conftest import POSITIONAL, make_model
from tests.handmade import (
    AT,
    PLACES,
    SAID,
    SLOT_OF,
    TOKENIZER,
    LoadedModel,
    handmade_lm,
    handmade_stories,
    story_of,
)

LM = handmade_lm()
STORIES = handmade_stories(40)
PERSON = np.array([s.questions[0].text.split()[1].rstrip("?") for s in STORIES])
LAST, MARY = 7, SLOT_OF["Mary"]  # sentences of a story
ALL = tuple(range(5))
EVERY = [
    Zero(slots=(3, 0), step=2),
    Mean(slots=(1,)),
    Resample(slots=(2,), seed=4),
    Swap(slots=(0,), other=7, step=5),
    Erase(slots=(3,), directions=((0.5,) * 18,), readers=((0.25,) * 18,), centre=(0.0,) * 18),
    ResetBank(step=3),
    Freeze(slots=(3,), from_step=2),
    ClampGate(gate="in", value=0, slots=(3,), block=1, step=4),
    ClampGate(gate="out", value=1),
    BlockRead(slots=(3,), block=1),
]


def right(*interventions, stories=STORIES, **options):
    it = run(LM, stories, interventions, **options)
    return np.array([given == answer for given, answer in zip(it.words, it.answers, strict=True)])


def moves(*statement):
    return [Statement(person, "move", place) for person, place in statement]


def test_without_interventions_every_answer_is_right():
    assert right().all()


def test_zero_of_marys_slot_kills_answers_about_mary_only():
    hit = right(Zero(slots=(MARY,), step=LAST))
    assert (PERSON == "Mary").sum() > 8
    assert hit[PERSON == "Mary"].mean() <= 0.5  # of zeros one place is named whatever the story says
    assert hit[PERSON != "Mary"].all()


def test_a_slot_hidden_from_questions_is_asked_as_if_it_were_not_there():
    block = BlockRead(slots=(MARY,))
    hidden, clean = run(LM, STORIES, [block]), run(LM, STORIES)
    assert hidden.banks.equal(clean.banks)
    hit = right(block)
    assert hit[PERSON == "Mary"].mean() <= 0.5 and hit[PERSON != "Mary"].all()
    context = RunContext(LM.model.config, clean.banks[0, 0], clean.banks, True, 1)
    ((_, hide), *_) = block.hooks(context)
    pattern = torch.softmax(torch.randn(1, 2, 3, 5, generator=torch.manual_seed(0)), dim=-1)
    left = hide(pattern, hook=None)
    others = [slot for slot in range(5) if slot != MARY]
    torch.testing.assert_close(left[..., others], pattern[..., others] / (1 - pattern[..., [MARY]]))
    assert not left[..., MARY].any()


def test_a_question_must_have_a_slot_left_to_read():
    with pytest.raises(UserError, match="block_read: all 5 slots; leave at least one"):
        run(LM, STORIES, [BlockRead(slots=ALL)])


def test_slots_that_hold_nothing_may_be_zeroed():
    assert right(Zero(slots=(1, 4))).all()


def test_a_step_counts_sentences_from_one_and_comes_after_them():
    story = story_of(moves(("Mary", "office"), ("John", "garden"), ("Mary", "kitchen")), "Mary")
    banks = run(LM, [story], [Zero(slots=(MARY,), step=2)]).banks[0, :, MARY]
    assert [bool(bank.any()) for bank in banks] == [True, False, True]


def test_what_is_zeroed_before_the_support_is_written_again():
    story = story_of(moves(("Mary", "office"), ("John", "garden"), ("Mary", "kitchen")), "Mary")
    assert right(Zero(slots=(MARY,), step=2), stories=[story]).all()
    assert run(LM, [story], [ResetBank(step=3)]).banks[0, 2].equal(torch.eye(5, 18))


@pytest.mark.parametrize("step", [0, 1, 2, 3])
def test_freeze_makes_answers_those_of_its_step(step):
    places = ("office", "garden", "kitchen")
    story = story_of(moves(*[("Mary", place) for place in places]), "Mary")
    it = run(LM, [story], [Freeze(slots=(MARY,), from_step=step)])
    if step:
        assert it.words == (places[step - 1],)
    else:
        assert it.banks[0, 2, MARY].allclose(torch.eye(5, 18)[MARY])


def test_a_shut_input_gate_leaves_nothing_to_answer_from():
    chance = max(np.mean([s.questions[0].answer == place for s in STORIES]) for place in PLACES)
    assert right(ClampGate(gate="in", value=0)).mean() <= chance
    assert right(ClampGate(gate="in", value=0, slots=(1, 4))).all()
    assert right(ClampGate(gate="in", value=0, block=1, step=LAST)).mean() < 1


def test_a_forget_gate_at_zero_forgets_all_but_the_last_sentence():
    hit = right(ClampGate(gate="forget", value=0))
    is_last = np.array([s.questions[0].support[0] == LAST - 1 for s in STORIES])
    assert hit[is_last].all()
    assert hit[~is_last].mean() < 0.6


def test_a_forget_gate_at_one_adds_the_new_place_to_the_old_one():
    story = story_of(moves(("Mary", "office"), ("Mary", "kitchen")), "Mary")
    held = run(LM, [story], [ClampGate(gate="forget", value=1)]).banks[0, 1, MARY, AT:SAID]
    assert held.tolist() == pytest.approx([-2, -2, 0, 0], abs=1e-2)


def test_a_shut_output_gate_hides_the_bank_and_leaves_it():
    shut = run(LM, STORIES, [ClampGate(gate="out", value=0)])
    assert len(set(shut.words)) == 1
    assert shut.banks.equal(run(LM, STORIES).banks)


def test_a_swap_gives_the_other_storys_answer():
    statement = [
        moves(("Mary", "office"), ("John", "garden")),
        moves(("John", "office"), ("Mary", "kitchen")),
    ]
    stories = [story_of(each, "Mary") for each in statement]
    assert run(LM, stories, [Swap(slots=(MARY,), other=1, step=2)]).words == ("kitchen", "kitchen")
    other_story = run(LM, [story_of(moves(("Mary", "hallway")), "Mary")]).banks
    assert run(LM, stories, [Swap(slots=(MARY,), other=0)], reference=other_story).words == ("hallway",) * 2


def test_a_resampled_slot_never_comes_from_its_own_story():
    stories = [story_of(moves(("Mary", place)), "Mary") for place in PLACES]
    for seed in range(5):
        assert not right(Resample(slots=(MARY,), seed=seed), stories=stories).any()


def test_shuffled_banks_answer_at_chance():
    stories = handmade_stories(300, n_sentences=6, seed=3)
    assert right(Resample(slots=ALL, step=6), stories=stories).mean() == pytest.approx(1 / 4, abs=0.09)


def test_the_mean_bank_is_the_same_for_every_story():
    banks = run(LM, STORIES, [Mean(slots=ALL, step=LAST)]).banks[:, -1]
    assert banks.allclose(run(LM, STORIES).banks[:, -1].mean(dim=0).expand_as(banks), atol=1e-6)


def test_interventions_are_applied_in_their_order():
    swap, zero = Swap(slots=(MARY,), other=0, step=LAST), Zero(slots=(MARY,), step=LAST)
    assert not run(LM, STORIES, [swap, zero]).banks[:, -1, MARY].any()
    assert run(LM, STORIES, [zero, swap]).banks[:, -1, MARY].any()


def test_whether_an_edit_propagates_is_what_the_catalogue_says_and_what_happens():
    known = hook_names(LM.model.config)
    for edit in EVERY:
        if edit.propagates:
            point = f"blocks.1.mem.{GATES[edit.gate]}" if isinstance(edit, ClampGate) else "hook_bank"
            assert known[point].later
    clean = run(LM, STORIES).banks
    for edit in (
        Zero(slots=(MARY,), step=2),
        Freeze(slots=(MARY,), from_step=2),
        ClampGate(gate="in", value=0),
    ):
        assert not run(LM, STORIES, [edit]).banks[:, 2].equal(clean[:, 2])


def test_no_hooks_stay_behind_also_after_an_exception(monkeypatch):
    def count():
        return sum(point.has_hooks() for point in LM.model.hook_dict.values())

    run(LM, STORIES, EVERY)
    assert count() == 0
    monkeypatch.setattr(Zero, "content", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(LM, STORIES, EVERY)
    assert count() == 0
    assert not LM.model.training


def test_questions_that_come_midway_are_asked_at_their_place():
    first = story_of(moves(("Mary", "office"), ("John", "garden"), ("Mary", "kitchen")), "Mary")
    early = Question("where Mary?", "office", (0,), 1)
    story = Story(
        "handmade", first.sentences, first.statements, first.states, (early, *first.questions), gap=""
    )
    assert run(LM, [story]).words == ("office", "kitchen")
    assert run(LM, [story], [Zero(slots=(MARY,), step=3)]).words[0] == "office"


def test_json_gives_the_same_interventions_back_and_the_same_banks():
    again = from_json(to_json(EVERY))
    assert again == EVERY
    assert run(LM, STORIES, again).banks.equal(run(LM, STORIES, EVERY).banks)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "interventions are not JSON"),
        ('{"kind": "zero"}', "must be a JSON list of objects"),
        ('[{"kind": "melt"}]', "no intervention of kind 'melt'; known: zero, mean"),
        ('[{"slots": [1]}]', "no intervention of kind None"),
        ('[{"kind": "zero", "slots": [1], "when": 2}]', "zero: unknown when; its fields: slots, step"),
        ('[{"kind": "swap", "slots": [1]}]', "swap: missing other"),
        ('[{"kind": "zero", "slots": []}]', r"slots \(\); give different slot numbers"),
        ('[{"kind": "zero", "slots": [1, 1]}]', "give different slot numbers"),
        ('[{"kind": "zero", "slots": "1"}]', "slots '1'; give different slot numbers"),
        ('[{"kind": "zero", "slots": [1], "step": 0}]', "step 0; sentences are counted from 1"),
        ('[{"kind": "clamp_gate", "gate": "up", "value": 1}]', "no gate 'up'; known: in, forget, out"),
        (
            '[{"kind": "clamp_gate", "gate": "in", "value": 2}]',
            r"value 2 of a gate; give a number in \[0, 1\]",
        ),
        ('[{"kind": "clamp_gate", "gate": "out", "value": 1, "step": 2}]', "acts on a question's words"),
        ('[{"kind": "clamp_gate", "gate": {}, "value": 1}]', "no gate {}; known: in"),
        (
            '[{"kind": "clamp_gate", "gate": "in", "value": 1, "block": true}]',
            "block True; give a whole number",
        ),
        (
            '[{"kind": "clamp_gate", "gate": "in", "value": 1, "block": 1.0}]',
            "block 1.0; give a whole number",
        ),
        ("[" * 50_000, "nested too deeply"),
        ('[{"kind": "reset_bank", "step": null}]', "step None"),
        ('[{"kind": "swap", "slots": [1], "other": "a"}]', "other 'a'"),
        ('[{"kind": "resample", "slots": [1], "seed": -1}]', "seed -1"),
        (
            '[{"kind": "erase", "slots": [1], "directions": [["a"]], "readers": [[1]], "centre": [0]}]',
            "finite",
        ),
    ],
)
def test_json_that_is_wrong_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        from_json(text)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Zero(slots=(5,)), r"zero: no slot 5; this model has 0\.\.4"),
        (Freeze(slots=(1,), from_step=9), "freeze: step 9, but the longest story has 7 sentences"),
        (ClampGate(gate="in", value=0, block=0), r"no memory in block 0; it is in \(1,\)"),
        (Swap(slots=(1,), other=40), r"swap: no story 40; there are 0\.\.39"),
        (
            Erase(slots=(1,), directions=((1.0,),), readers=((1.0,),), centre=(0.0,)),
            "equally many rows of 18 values",
        ),
    ],
)
def test_what_a_model_or_the_stories_lack_is_refused(edit, message):
    with pytest.raises(ValueError, match=message):
        run(LM, STORIES, [edit])


def test_a_lonely_story_positional_routing_and_stories_without_questions_are_refused():
    with pytest.raises(ValueError, match="there is no other story to draw from"):
        run(LM, STORIES[:1], [Resample(slots=(1,))])
    positional = LoadedModel("p", make_model(vocab_size=len(TOKENIZER), **POSITIONAL), TOKENIZER)
    with pytest.raises(ValueError, match="positional routing are token positions"):
        run(positional, STORIES, [Zero(slots=(1,))])
    with pytest.raises(ValueError, match="no question after a sentence"):
        run(LM, [])


def labelled(n=240, n_dims=6, seed=0):
    """Three classes, whose means differ in a direction with much spread and one with little."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(["a", "b", "c"], n // 3)
    mixing = rng.standard_normal((n_dims, n_dims)) * np.array([5, 1, 1, 0.2, 1, 1])
    means = {"a": 0.0, "b": 1.0, "c": np.array([2.0, -1, 0, 0, 1, 0])}
    return np.stack([rng.standard_normal(n_dims) + 2 * means[label] for label in labels]) @ mixing, labels


@pytest.mark.parametrize("method", [mean_projection, leace])
def test_after_erasure_a_linear_probe_is_at_chance(method):
    features, labels = labelled()
    probe = LogisticRegression(C=1e-2, max_iter=2_000)
    assert probe.fit(features, labels).score(features, labels) > 0.8
    erased = method(features, labels)(features)
    means = [erased[labels == name].mean(axis=0) for name in "abc"]
    np.testing.assert_allclose(means, np.broadcast_to(features.mean(axis=0), (3, 6)), atol=1e-9)
    scaled = (erased - erased.mean(axis=0)) / erased.std()
    assert np.ptp(probe.fit(scaled, labels).predict_proba(scaled), axis=0).max() < 1e-3


def test_leace_changes_less_than_mean_projection():
    features, labels = labelled()
    whiten = np.linalg.cholesky(np.linalg.inv(np.cov(features.T)))
    for metric in (np.eye(6), whiten):
        small, large = (
            np.mean(((method(features, labels)(features) - features) @ metric) ** 2)
            for method in (leace, mean_projection)
        )
        assert small < 0.95 * large


def test_shuffled_labels_give_leace_little_to_remove():
    features, labels = labelled()
    shuffled = np.random.default_rng(1).permutation(labels)
    whiten = np.linalg.cholesky(np.linalg.inv(np.cov(features.T)))
    true, control = (((leace(features, names).directions) @ whiten) for names in (labels, shuffled))
    assert true.shape == control.shape  # as many directions: what they carry of the labels differs
    expected = [
        np.linalg.norm(np.cov((features @ whiten).T, (labels == "a"))[-1, :-1])
        for labels in (labels, shuffled)
    ]
    assert expected[1] < expected[0] / 3


def test_erasing_the_place_from_marys_slot_kills_answers_about_mary_only():
    banks = run(LM, STORIES).banks[:, -1, MARY].numpy().astype(float)
    places = np.array([s.states[-1].get("place of Mary", "unknown") for s in STORIES])
    hit = right(leace(banks, places).on((MARY,), step=LAST))
    assert hit[PERSON != "Mary"].all()
    assert hit[PERSON == "Mary"].mean() <= 0.5


def test_erasing_from_one_class_or_wrong_sizes_is_refused():
    with pytest.raises(ValueError, match="all labels are"):
        leace(np.ones((4, 3)), np.array(["a"] * 4))
    with pytest.raises(ValueError, match="do not fit"):
        mean_projection(np.ones((4, 3)), np.array(["a", "b"]))


def test_json_is_a_list_with_kinds():
    assert json.loads(to_json(EVERY[:1])) == [{"kind": "zero", "slots": [3, 0], "step": 2}]


@pytest.mark.parametrize("slots", [3, [3], (3,), range(3, 4), np.int64(3), np.array([3])])
def test_slots_are_given_as_a_number_list_or_range(slots):
    for edit in (
        Zero(slots),
        Mean(slots=slots),
        Freeze(slots, from_step=1),
        ClampGate(gate="in", value=0, slots=slots),
    ):
        assert edit.slots == (3,)
        hash(edit)
        assert from_json(to_json([edit])) == [edit]


@pytest.mark.parametrize("slots", ["3", None, True, 1.5, [1.5], {3}, -1, [[3]]])
def test_slots_that_are_no_numbers_are_refused(slots):
    with pytest.raises(UserError, match="give different slot numbers from 0, e.g. 3 or"):
        Zero(slots)


def test_one_intervention_or_story_need_no_list_or_are_told_to():
    edit = Zero(MARY, step=LAST)
    assert torch.equal(run(LM, STORIES, edit).logits, run(LM, STORIES, [edit]).logits)
    assert effect(LM, STORIES, edit).table().equals(effect(LM, STORIES, [edit]).table())
    with pytest.raises(UserError, match=r"stories must be a list, got one story; give \[story\]"):
        effect(LM, STORIES[0], edit)
