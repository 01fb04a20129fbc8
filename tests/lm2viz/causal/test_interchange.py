"""Interchange finds that the slot of a person carries her place, and that no other slot does."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2core import ask_many
from lm2core.babi.tasks import make_stories
from lm2core.reading.answers import memory_after
from lm2core.reading.checkpoints import load
from lm2viz.causal import draw_pairs, interchange
from lm2viz.causal.interchange_banks import PairBanks
from lm2viz.causal.interchange_pairs import N_OTHERS
from lm2viz.causal.interchange_result import CHOSEN, OTHER_FACTS, RANDOM, SAME, UNTRAINED
from lm2viz.causal.interchange_scores import PairScorer, PairScores, answered_rightly, estimate
from lm2viz.estimates import drawn_stories
from tests.handmade import N_SLOTS, SLOT_OF, UNUSED, handmade_lm, handmade_stories

LM = handmade_lm()
STORIES = handmade_stories(36)
MARY = "place of Mary"


def question_of(fact):
    return f"where {fact.removeprefix('place of ')}?"


def measured(slots=None, **options):
    return interchange(LM, STORIES, MARY, slots, question_of=question_of, **options)


@pytest.fixture(scope="module")
def right():
    return measured([SLOT_OF["Mary"]])


def test_the_slot_of_a_person_carries_her_place_and_nothing_else(right):
    own = right.of()
    assert (own.interchange.value, own.isolation.value, own.product.value) == (1, 1, 1)
    assert right.is_carried
    assert right.n_wrong == 0 < right.n_agree
    assert right.n_pairs + right.n_agree == len(draw_pairs(STORIES, MARY, question_of=question_of))


def test_the_controls_are_what_the_construction_says(right):
    assert right.of(RANDOM).interchange.value == right.of(OTHER_FACTS).interchange.value == 0
    assert right.of(RANDOM).isolation.value < 0.9  # two of the four other slots hold somebody
    assert right.of(OTHER_FACTS).isolation.value < right.of(RANDOM).isolation.value
    assert (right.of(SAME).interchange.value, right.of(SAME).isolation.value) == (1, 1)
    assert right.of(UNTRAINED).interchange.value < 0.3


def test_the_slot_of_somebody_else_carries_nothing_of_her_and_breaks_his_answers():
    other = measured([SLOT_OF["John"]])
    assert other.of().interchange.value == 0
    assert not other.is_carried
    assert other.of().isolation.value < 0.9
    assert other.verdict.startswith("Not shown that slot 0 carries the place of Mary")


def test_a_slot_that_holds_nothing_changes_nothing():
    empty = measured([UNUSED[0]]).of()
    assert (empty.interchange.value, empty.isolation.value) == (0, 1)


def test_without_slots_the_best_one_is_chosen_on_stories_that_are_not_scored():
    chosen = measured()
    assert chosen.slots == (SLOT_OF["Mary"],)
    assert chosen.is_chosen
    assert chosen.n_stories <= len(STORIES) / 2
    assert "the best one on other stories" in chosen.summary()


def test_a_set_with_the_slot_carries_the_place_and_the_whole_bank_everything():
    both = measured([SLOT_OF["Mary"], SLOT_OF["John"]]).of()
    assert (both.interchange.value, both.isolation.value < 0.9) == (1, True)
    bank = measured(range(N_SLOTS))
    assert bank.of().interchange.value == 1
    assert bank.of(RANDOM).interchange.n == 0
    assert "random slots: not possible here" in bank.summary()


def test_the_sides_of_a_pair_are_at_moments_of_their_own():
    pairs = draw_pairs(STORIES, MARY, question_of=question_of)
    assert len({p.base_step - p.donor_step for p in pairs}) > 5
    for pair in pairs:
        base, donor = (STORIES[i].states[k - 1] for i, k in
                       ((pair.base, pair.base_step), (pair.donor, pair.donor_step)))  # fmt: skip
        assert (pair.before, pair.after, pair.donor_answer) == (base[MARY], donor[MARY], donor[MARY])
        assert dict(pair.others).items() <= {question_of(f): v for f, v in base.items() if f != MARY}.items()
        assert pair.base != pair.donor


def test_batches_give_what_one_question_at_a_time_gives():
    pairs = draw_pairs(STORIES, MARY, question_of=question_of)[:30]
    banks = PairBanks(LM, STORIES, pairs)
    rng = np.random.default_rng(0)
    rows = banks.questions([p.question for p in pairs]), *banks.sides(pairs)
    slots = rng.random((len(pairs), N_SLOTS)) < 0.5
    answers = [banks.answers(*rows, slots, batch=n) for n in (1, 7, 1000)]
    assert len(set(answers[0].tolist())) > 2
    for each in answers:
        assert each.tolist() == answers[0].tolist()


def test_zero_as_a_donor_is_slots_of_zeros():
    lm, stories, slot = load("babi-qa1-10"), make_stories("qa1", 12, seed=2), 13
    pairs = [replace(p, others=(), follows=()) for p in draw_pairs(stories, MARY, n_donors=1)]
    scorer = PairScorer(PairBanks(lm, stories, pairs), pairs)
    banks = torch.cat([memory_after(lm, stories[p.base].sentences[: p.base_step]) for p in pairs])
    banks[:, slot] = 0
    words = [word for word, _ in ask_many(lm, ["Where is Mary?"] * len(pairs), banks)]
    kept = [word == p.before for word, p in zip(words, pairs, strict=True)]
    assert scorer.kept_without(slot).tolist() == kept
    assert 0 < sum(kept) < len(kept)


def test_pairs_that_the_model_answers_wrongly_are_counted_and_not_scored():
    pairs = draw_pairs(STORIES, MARY, question_of=question_of)
    wrong = [replace(p, before="office" if p.before != "office" else "garden") for p in pairs[:9]]
    result = measured([3], pairs=[*wrong, *pairs[9:]])
    assert result.n_wrong == 9
    assert result.of().interchange.value == 1


def test_pairs_by_hand_ask_any_question():
    """Where John is must become where he is in the donor, though the fact is Mary's."""
    stories = handmade_stories(40, seed=8)
    pairs = [
        replace(p, question="where John?", others=(("where Mary?", answer),))
        for p in draw_pairs(stories, "place of John", question_of=question_of)
        for answer in [dict(p.others).get("where Mary?")]
        if answer
    ]
    result = interchange(LM, stories, MARY, [SLOT_OF["John"]], pairs=pairs, question_of=question_of)
    assert result.of().interchange.value == 1
    assert (result.of().isolation.value, result.of().isolation.n) == (1, result.n_pairs)


def test_only_a_few_of_many_other_questions_are_asked():
    pairs = draw_pairs(make_stories("qa2", 9, seed=0), MARY)
    assert max(len(p.others) for p in pairs) == N_OTHERS


def test_a_thing_follows_its_holder_and_is_no_part_of_everything_else():
    for pair in draw_pairs(make_stories("qa2", 30, seed=0), MARY):
        assert not {q for q, _ in pair.follows} & {q for q, _ in pair.others}
        assert all(answer == pair.after for _, answer in pair.follows)


def test_an_interval_draws_stories_on_both_sides():
    """With the weights of each resample by hand: as often as both stories of a pair were drawn."""
    sides = [(0, 1), (0, 2), (1, 2), (2, 0), (3, 1)]
    pairs = [
        replace(draw_pairs(STORIES, MARY, question_of=question_of)[0], base=b, donor=d) for b, d in sides
    ]
    hit, stay = np.array([1.0, 0, 1, 0, 1]), np.array([1.0, 0.5, np.nan, 1, 1])
    effects = estimate(PairScores(hit, hit, stay, hit * np.nan), pairs, seed=4)
    assert effects.product.value == pytest.approx(0.6 * 3.5 / 4)
    drawn = drawn_stories(4, 4)
    weights = np.stack([drawn[:, b] * drawn[:, d] for b, d in sides], axis=1)
    with np.errstate(invalid="ignore"):
        draws = (weights * hit).sum(axis=1) / weights.sum(axis=1)
    expected = np.nanquantile(draws, [0.025, 0.975])
    np.testing.assert_allclose([effects.interchange.low, effects.interchange.high], expected)
    assert effects.follow.n == 0


def test_bad_input_is_told_in_one_line():
    with pytest.raises(
        ValueError, match="no fact 'place of Zoe' to ask about in these stories; they have: place of J"
    ):
        interchange(LM, STORIES, "place of Zoe", [3], question_of=question_of)
    with pytest.raises(ValueError, match=r"no slot 5; this model has 0\.\.4"):
        measured([3, 5])
    with pytest.raises(ValueError, match="an interval needs 10 stories with a pair whose answers differ"):
        interchange(LM, STORIES[:6], MARY, [3], question_of=question_of)
    pairs = draw_pairs(STORIES, MARY, question_of=question_of)
    with pytest.raises(ValueError, match="0 of .* pairs can be scored"):
        measured([3], pairs=[p for p in pairs if p.agrees])
    with pytest.raises(ValueError, match="n_donors = 0"):
        measured([3], n_donors=0)


def test_the_same_seed_gives_the_same_table_and_another_other_pairs():
    first, again, other = (measured([3], seed=seed, n_donors=2).table() for seed in (0, 0, 1))
    assert first.equals(again)
    assert not first.equals(other)


def test_table_and_figure_have_every_control(right):
    assert right.table()["condition"].tolist() == [CHOSEN, RANDOM, OTHER_FACTS, SAME, UNTRAINED]
    figure = right.figure()
    assert figure.data[0].x[0] == 1
    assert list(figure.data[0].y) == right.table()["condition"].tolist()


def test_mary_has_her_slot_in_a_trained_model():
    lm, stories = load("babi-qa1-10"), make_stories("qa1", 24, seed=500)
    pairs = draw_pairs(stories, MARY, n_donors=1)
    banks = PairBanks(lm, stories, pairs)
    right = answered_rightly(banks, pairs)
    assert len(right) == len(pairs)
    scorer = PairScorer(banks, [p for p in right if not p.agrees])
    of_mary, of_sandra = scorer.score_slots([13]), scorer.score_slots([1])
    assert of_mary.hit.mean() > 0.6 > 0.1 > of_sandra.hit.mean()
    assert np.nanmean(of_mary.stay) > 0.95 > np.nanmean(of_sandra.stay)
