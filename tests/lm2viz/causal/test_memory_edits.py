"""A fact that a story never told is put into its bank; the handmade model knows what else that may change."""

from dataclasses import replace
from random import Random

import pytest
import torch

from lm2core.babi.story import Statement
from lm2core.babi.tasks import make_stories
from lm2core.babi.text import TextStory
from lm2core.reading.answers import memory_after, ranked_words
from lm2viz.causal import compare_edits, make_edits
from lm2viz.causal.edit_cases import AFTER, draw_cases
from lm2viz.causal.edit_effects import edit_effects, read_on
from lm2viz.causal.edit_effects_result import READ, UNEDITED
from lm2viz.causal.memory_edits import METHODS, SUBSPACE, TRANSPLANT
from tests.handmade import N_SLOTS, PLACES, SLOT_OF, handmade_lm, handmade_stories, story_of
from tests.lm2viz.causal.test_interchange import question_of

LM, STORIES, MARY = handmade_lm(), handmade_stories(48, n_sentences=9), "place of Mary"


def sentence_of(fact, value):
    return f"{fact.removeprefix('place of ')} {value}"


@pytest.fixture(scope="module")
def compared():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lm2viz.causal.subspace_training.N_STEPS", 60)
        return compare_edits(LM, STORIES, MARY, n_dims=4, question_of=question_of, sentence_of=sentence_of)


@pytest.mark.parametrize("method", METHODS)
def test_a_bank_says_what_its_story_never_told(compared, method):
    (edit,) = (each for each in compared[0] if each.method == method)
    bank = memory_after(LM, ["John office", "Sandra hallway", "John kitchen"])
    for value in PLACES:
        edited = edit.apply(bank, [value])
        asked = {person: ranked_words(LM, f"where {person}?", edited)[0][0] for person in SLOT_OF}
        assert asked == {"Mary": value, "John": "kitchen", "Sandra": "hallway"}
        others = [slot for slot in range(N_SLOTS) if slot != SLOT_OF["Mary"]]
        assert torch.equal(edited[:, others], bank[:, others])
    moved = memory_after(LM, ["Mary office"], edited)
    assert ranked_words(LM, "where Mary?", moved)[0][0] == "office"


def test_edits_hold_and_change_nothing_else_as_reading_the_sentence_does(compared):
    effects = compared[1].effects
    assert list(effects) == [*METHODS, READ, UNEDITED]
    for name in (*METHODS, READ):
        for n in AFTER:
            assert (effects[name][n].fact.value, effects[name][n].others.value) == (1, 1)
            assert effects[name][n].follows.n == 0
    assert [effects[UNEDITED][n].fact.value for n in AFTER] == [0, 0, 0]


def test_an_edit_of_the_slot_of_somebody_else_is_seen_as_a_side_effect():
    wrong = make_edits(LM, STORIES, MARY, [TRANSPLANT], slots=[SLOT_OF["John"]], question_of=question_of)
    effects = edit_effects(LM, wrong, STORIES, question_of=question_of, sentence_of=sentence_of)
    at_once = effects.effects[TRANSPLANT][0]
    assert at_once.fact.value == 0
    assert at_once.others.value < 0.9
    assert effects.effects[TRANSPLANT][max(AFTER)].others.value > at_once.others.value  # John has moved since


def test_the_truth_is_that_of_the_story_with_the_sentence_put_in():
    """She takes the milk before the edit, so that it goes with her, and somebody else stays."""
    sentences = ("Mary got the milk.", "Mary went to the office.", "John went to the garden.",
                 "Sandra went to the hallway.", "John went to the kitchen.", "Mary went to the bedroom.",
                 "Sandra went to the office.")  # fmt: skip
    stories = [TextStory(sentences, ())] * 12
    cases = draw_cases(stories, MARY, ["bathroom"], seed=1)
    case = next(c for c in cases if len(c.before) == 3)
    at_once, later = case.checks[0], case.checks[4]
    assert case.sentence == "Mary went to the bathroom."
    assert at_once.fact == (("Where is Mary?", "bathroom"),)
    assert at_once.follows == (("Where is the milk?", "bathroom"),)
    assert at_once.others == (("Where is John?", "garden"),)
    assert later.fact == later.follows == ()  # she has been said to be in the bedroom since
    assert dict(later.others)["Where is Mary?"] == "bedroom"
    assert dict(later.others)["Where is John?"] == "kitchen"


def test_reading_on_from_banks_is_reading_the_whole_story():
    stories = [
        ("Mary office", "John garden", "Mary kitchen"),
        ("Sandra hallway",),
        ("John office", "John garden"),
    ]
    whole = read_on(LM, stories)
    parts = read_on(LM, [s[1:] for s in stories], read_on(LM, [s[:1] for s in stories]))
    torch.testing.assert_close(parts, whole)


def test_only_an_answer_that_was_right_shows_that_it_was_left_alone(compared):
    """The truth of every other answer is made wrong: none of them can be counted."""
    story = story_of([Statement("Mary", "move", "office")] * 6, "Mary")
    strange = [
        replace(story, sentences=("Mary office", "John garden", *story.sentences[2:]),
                statements=(story.statements[0], Statement("John", "move", "kitchen"), *story.statements[2:]))
    ] * 12  # fmt: skip
    edits = [edit for edit in compared[0] if edit.method == TRANSPLANT]
    effects = edit_effects(LM, edits, strange, question_of=question_of, sentence_of=sentence_of)
    assert effects.effects[READ][0].others.n == 0


def test_the_same_seed_gives_the_same_table():
    def table(seed):
        edits = make_edits(LM, STORIES, MARY, [TRANSPLANT], seed=seed, question_of=question_of)
        return edit_effects(
            LM, edits, STORIES, seed=seed, question_of=question_of, sentence_of=sentence_of
        ).table()

    assert table(0).equals(table(0))
    assert not table(0).equals(table(3))


def test_table_and_figure_have_every_edit_at_every_moment(compared):
    table = compared[1].table()
    assert len(table) == len(compared[1].figure().data[0].y) == (len(METHODS) + 2) * len(AFTER)
    assert compared[1].verdict.startswith("Edited by ")


def test_bad_input_is_told_in_one_line(compared):
    edit = next(each for each in compared[0] if each.method == SUBSPACE)
    bank = memory_after(LM, ["John office"])
    with pytest.raises(
        ValueError, match="no story that the edit was made from says 'moon'; they say: garden, "
    ):
        edit.apply(bank, ["moon"])
    with pytest.raises(
        ValueError, match="values of the bank are NaN or infinite; give a bank whose values are finite"
    ):
        edit.apply(bank.index_fill(2, torch.tensor(3), 0).masked_fill(_one(bank), float("nan")), ["office"])
    with pytest.raises(ValueError, match="no method 'surgery'; give transplant, direction, subspace"):
        make_edits(LM, STORIES, MARY, ["surgery"], question_of=question_of)
    with pytest.raises(ValueError, match=r"no slot 9; this model has 0\.\.4"):
        make_edits(LM, STORIES, MARY, slots=[9], question_of=question_of)
    with pytest.raises(ValueError, match="no single sentence states 'place of apple'"):
        compare_edits(LM, make_stories("qa2", 4, 0), "place of apple")
    short = [story_of([Statement("Mary", "move", Random(i).choice(PLACES))], "Mary") for i in range(20)]
    with pytest.raises(ValueError, match="0 of 20 stories know it 4 sentences before their end"):
        edit_effects(LM, [edit], short, question_of=question_of, sentence_of=sentence_of)


def _one(bank):
    """True at one value."""
    return torch.arange(bank.numel()).reshape(bank.shape) == 7
