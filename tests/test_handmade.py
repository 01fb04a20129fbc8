"""The model made by hand does what it says: tests of analyses rely on it."""

import torch

from lm2core.evaluation.stories import predict, score
from lm2core.reading.answers import read_stories
from lm2core.reading.story_traces import record_questions
from tests.handmade import (
    AT,
    MEMORY_BLOCK,
    SAID,
    SLOT_OF,
    UNUSED,
    handmade_lm,
    handmade_stories,
    place_code,
)


def test_it_answers_every_question():
    stories = handmade_stories(40)
    result = score(stories, predict(handmade_lm(), stories))
    assert result.accuracy == 1.0
    assert result.majority < 0.5


def test_each_slot_holds_the_place_of_its_person_and_nothing_else():
    stories = handmade_stories(6)
    trace = read_stories(handmade_lm(), stories)
    for b, story in enumerate(stories):
        for s, state in enumerate(story.states):
            bank = torch.tensor(trace.arrays["hook_bank"][b, s])
            for person, slot in SLOT_OF.items():
                if place := state.get(f"place of {person}"):
                    torch.testing.assert_close(bank[slot, AT:SAID], place_code(place), atol=1e-3, rtol=0)
                    assert bank[slot].abs().sum() < 4.01
            for slot in UNUSED:
                torch.testing.assert_close(bank[slot], torch.eye(18)[slot], atol=1e-3, rtol=0)


def test_a_question_reads_the_slot_of_its_person_alone():
    question_trace = record_questions(handmade_lm(), read_stories(handmade_lm(), handmade_stories(9)))
    pattern = question_trace.arrays[f"blocks.{MEMORY_BLOCK}.mem.hook_read_pattern"][
        :, 0, 0
    ]  # (question, token, slot)
    for question, row in zip(question_trace.info["asked"], pattern, strict=True):
        assert row[-1, SLOT_OF[question["text"].split()[1].rstrip("?")]] > 0.999
