"""Read alone, a slot says what it holds: known slots are named, with the sentence that wrote them."""

import numpy as np
import pytest

from lm2core.babi.story import Statement
from lm2core.errors import UserError
from lm2core.reading.answers import ask, bank_after, read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.slot_lens import slot_lens, words_by_step, words_read_alone
from lm2viz.causal.slot_lens_result import SlotWord
from tests.handmade import N_SLOTS, SLOT_OF, handmade_lm, story_of
from tests.small_llama import STORY, save_llama, small_tokenizer, with_memory

LM = handmade_lm()
TOLD = story_of(
    [
        Statement("Mary", "move", "office"),
        Statement("John", "move", "garden"),
        Statement("Mary", "move", "kitchen"),
        Statement("Sandra", "move", "office"),
    ],
    "Mary",
)
TRACE = read_story(LM, TOLD.sentences)
HELD = {"Mary": ("kitchen", 3), "John": ("garden", 2), "Sandra": ("office", 4)}  # with their sentences


def test_every_slot_says_the_place_that_was_written_last_whoever_is_asked_about():
    for asked in SLOT_OF:
        result = slot_lens(LM, TRACE, f"where {asked}?")
        said = {row.slot: (row.word, row.sentence) for row in result.rows if row.says}
        assert said == {SLOT_OF[person]: held for person, held in HELD.items()}
        assert result.answer == HELD[asked][0]
        most = result.by_attention()[0]
        assert most.slot == SLOT_OF[asked] and most.attention > 0.9


def test_a_slot_that_nothing_was_written_to_is_not_listed_and_a_fresh_bank_has_none():
    early = slot_lens(LM, TRACE, "where Mary?", n_sentences=1)
    assert [row.slot for row in early.rows if row.says] == [SLOT_OF["Mary"]]
    assert early.verdict() == (
        f"After 1 sentence, 1 of {N_SLOTS} slots have been written; read alone, 1 makes the model say a word "
        f"of its own: office (slot {SLOT_OF['Mary']})."
    )
    fresh = slot_lens(LM, TRACE, "where Mary?", n_sentences=0)
    assert fresh.rows == () and "none makes the model say" in fresh.verdict()
    assert fresh.table().empty


def test_probability_and_control_are_those_of_a_bank_in_which_all_slots_hold_the_same():
    """All attention to one slot is attention to copies of it."""
    bank, fresh = bank_after(TRACE, 4, LM.model), LM.model.new_memory(1)
    for row in slot_lens(LM, TRACE, "where Mary?").rows:
        for of, expected in ((bank, row.probability), (fresh, row.control)):
            copies = of[:, [row.slot]].expand(-1, N_SLOTS, -1)
            answer = ask(LM, "where Mary?", copies)
            probability = dict(zip(answer.words, answer.probabilities, strict=True))[row.word]
            assert probability == pytest.approx(expected, abs=1e-5)


def test_a_word_that_a_fresh_slot_gives_as_well_is_not_said_by_the_slot():
    row = SlotWord(slot=2, word="hall", probability=0.9, control=0.46, sentence=1, share=1.0, attention=0.1)
    assert not row.says
    assert not SlotWord(2, "hall", 0.49, 0.0, 1, 1.0, 0.1).says
    assert SlotWord(2, "hall", 0.9, 0.44, 1, 1.0, 0.1).says


def test_table_summary_and_figure_hold_the_same_rows():
    result = slot_lens(LM, TRACE, "where John?")
    table = result.table()
    assert list(table["slot"]) == [row.slot for row in result.rows]
    assert table.loc[table["slot"] == SLOT_OF["John"], "text"].item() == TOLD.sentences[1]
    lines = result.summary().splitlines()
    assert lines[0] == result.verdict() and lines[1].startswith("where John? garden (")
    assert len(lines) == 3 + len(result.rows)
    assert set(result.figure().data[-1].y) == {f"slot {row.slot}: {row.word}" for row in result.rows}


def test_a_language_model_says_parts_of_words_and_its_memory_is_left_as_it_was(tmp_path):
    tokenizer = small_tokenizer()
    lm = LoadedModel("small", with_memory(save_llama(tmp_path)), tokenizer)
    trace = read_story(lm, STORY)
    result = slot_lens(lm, trace, "Where is Mary?")
    assert result.question == "Where is Mary? Mary is in the"
    n_slots = lm.model.config.memory_slots
    assert 0 < len(result.rows) <= n_slots
    bank = bank_after(trace, 2, lm.model)
    before = ask(lm, "Where is Mary?", bank)
    slots = [row.slot for row in result.rows]
    words, probabilities, every = words_read_alone(
        lm, "Where is Mary?", bank.expand(len(slots), -1, -1), slots
    )
    assert words == [row.word for row in result.rows]
    np.testing.assert_allclose(probabilities, [row.probability for row in result.rows], rtol=1e-4)
    assert every.shape == (len(slots), lm.model.config.vocab_size)
    assert ask(lm, "Where is Mary?", bank).probabilities == before.probabilities  # no hook is left behind


@pytest.mark.parametrize(
    ("slots", "question", "message"),
    [
        ([5], "where Mary?", "no slot 5; the model has slots 0 to 4"),
        ([-1], "where Mary?", "no slot -1"),
        ([1], " ", "the question is empty"),
        ([1, 2], "where Mary?", "1 banks for 2 slots"),
        ([], "where Mary?", "1 banks for 0 slots"),
    ],
)
def test_what_cannot_be_asked_is_refused(slots, question, message):
    with pytest.raises(UserError, match=message):
        words_read_alone(LM, question, LM.model.new_memory(1), slots)


def test_a_sentence_that_the_story_does_not_have_is_refused():
    with pytest.raises(UserError, match="no bank after 9 sentences: the story has 4"):
        slot_lens(LM, TRACE, "where Mary?", n_sentences=9)


def test_words_along_a_story_are_those_of_the_lens_after_each_sentence():
    along = words_by_step(LM, TRACE, "where Mary?")
    assert len(along) == len(TOLD.sentences)
    for n, words in enumerate(along, start=1):
        rows = slot_lens(LM, TRACE, "where Mary?", n_sentences=n).rows
        assert {slot: word for slot, (word, _) in words.items()} == {r.slot: r.word for r in rows if r.says}
        assert [p for _, p in words.values()] == pytest.approx([r.probability for r in rows if r.says])
    assert along[0][SLOT_OF["Mary"]][0] == "office" and along[2][SLOT_OF["Mary"]][0] == "kitchen"
