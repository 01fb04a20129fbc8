"""Batches of fresh stories: whose they are, what is asked about them, and what stands where."""

from collections import Counter
from dataclasses import replace

import pytest
import torch

from lm2core.babi.tasks import TASKS
from lm2core.babi.vocabulary import babi_words
from lm2core.babi.world import HOME
from lm2core.babilong.background_text import Noise
from lm2core.text.tokenizer import word_tokenizer
from lm2core.training.batches import QUESTION_TASKS_OF, Stage, StorySource
from lm2core.training.stages import stages_for
from lm2core.training.story_batch import StoryBatch

TOKENIZER = word_tokenizer(babi_words(TASKS))
EVEN = dict.fromkeys(TASKS, 1.0)


@pytest.fixture
def source() -> StorySource:
    return StorySource(TOKENIZER, n_stories=3, questions_per_sentence=1.5, seed=0)


def words(ids: torch.Tensor) -> str:
    return TOKENIZER.decode(ids[ids != 0])


def test_a_batch_is_a_function_of_seed_and_index(source):
    stage = Stage(("qa1", "qa2", "qa3"), 9, n_before=5)
    one, two, other = (source.batch(i, stage, EVEN) for i in (7, 7, 8))
    assert torch.equal(one.story_ids, two.story_ids)
    assert torch.equal(one.question_ids, two.question_ids)
    assert one.story_ids.shape != other.story_ids.shape or not torch.equal(one.story_ids, other.story_ids)


def test_questions_of_a_batch_are_about_its_stories(source):
    """Every answer is a place, and asked after a sentence of the part that has a gradient."""
    batch = source.batch(3, Stage(("qa1", "qa2", "qa3"), 9, n_before=30), EVEN)
    assert len(batch.tasks) == len(batch.answer_ids) == len(batch.story) <= 3 * 14
    assert set(batch.tasks) <= {"qa1", "qa2", "qa3"}
    assert batch.segment.min() >= 0
    assert batch.segment.max() < batch.story_ids.shape[1] == 9


def test_of_long_stories_a_batch_has_as_many_as_it_may_read(monkeypatch, source):
    """And one of a story that is longer than that."""
    monkeypatch.setattr("lm2core.training.batches.MOST_SENTENCES", 50)
    counts = set()
    for index in range(12):
        batch = source.batch(index, Stage(("qa1",), 9, n_before=47), EVEN)
        n_sentences = batch.before_ids.shape[1] + batch.story_ids.shape[1]
        assert len(batch.story_ids) == min(3, max(1, 50 // n_sentences))
        assert set(batch.story.tolist()) == set(range(len(batch.story_ids)))
        counts.add(len(batch.story_ids))
    assert counts == {1, 2, 3}


def test_stories_are_drawn_until_one_can_be_asked_about(source):
    """Of six sentences hardly any has somebody take a thing and carry it to a second place."""
    for index in range(15):
        batch = source.batch(index, Stage(("qa3",), 6), EVEN)
        assert batch.story.dtype == batch.segment.dtype == batch.answer_ids.dtype == torch.long
        assert set(batch.tasks) == {"qa3"}


def test_a_stage_in_which_nothing_can_be_asked_is_refused(source):
    with pytest.raises(
        ValueError, match="no question is possible about 2 sentences of qa3; use longer stories"
    ):
        source.batch(4, Stage(("qa3",), 2), EVEN)


def test_a_short_story_is_asked_once_at_least():
    seldom = StorySource(TOKENIZER, n_stories=2, questions_per_sentence=0.1, seed=0)
    assert seldom.batch(0, Stage(("qa1",), 4), EVEN).tasks == ("qa1", "qa1")


@pytest.mark.parametrize("task", TASKS)
def test_every_task_is_told_and_asked_about(task, source):
    batch = source.batch(1, Stage((task,), 11), EVEN)
    assert set(batch.tasks) == {task}
    assert (batch.answer_ids != TOKENIZER.unk_token_id).all()
    assert not (batch.story_ids == TOKENIZER.unk_token_id).any()
    assert not (batch.question_ids == TOKENIZER.unk_token_id).any()


def test_a_story_that_ends_sooner_has_empty_sentences_first(source):
    """A story of task 4 has two sentences; it is asked about when both are told, as often as a long one."""
    batch = source.batch(2, Stage(("qa4",), 7, n_before=5), EVEN)
    n_tokens = (batch.story_ids != 0).sum(-1)
    assert (n_tokens[:, :5] == 0).all()
    assert (n_tokens[:, 5:] == 8).all()
    assert (batch.before_ids == 0).all()
    assert set(batch.segment.tolist()) == {6}
    assert batch.n_asked.sum() == 3 * 10
    for story, question in zip(batch.story, batch.question_ids, strict=True):
        expected = {word for s in (5, 6) for word in words(batch.story_ids[story, s]).split()}
        assert set(HOME.places) & set(words(question).split()) < expected


def test_in_a_stage_of_practice_each_side_of_one_place_is_told_and_asked_about(source):
    """Directions alone tell four answers apart; in a row, told of without practice, other things do too."""
    stage = Stage(("qa1", "qa4"), 5, practice=True)
    batch = source.batch(4, stage, {"qa1": 0.0, "qa4": 1.0})
    assert (batch.segment == 4).all()
    assert len({(int(b), words(q)) for b, q in zip(batch.story, batch.question_ids, strict=True)}) == 12
    assert batch.n_asked.tolist() == [2.0] * 12  # each side of the place in each of 3 stories
    for story, question, answer in zip(batch.story, batch.question_ids, batch.answer_ids, strict=True):
        lines = [words(line).split() for line in batch.story_ids[story, 1:]]
        beside = {line[3]: line[1] for line in lines}
        assert set(beside) == {"north", "south", "east", "west"}
        (middle,) = {line[-2] for line in lines}
        side = words(question).split()[2]
        assert words(question) == f"what is {side} of the {middle} ?"
        assert TOKENIZER.convert_ids_to_tokens(int(answer)) == beside[side]
    assert (
        source.batch(4, replace(stage, practice=False), {"qa1": 0.0, "qa4": 1.0}).story_ids[:, 2] == 0
    ).all()


@pytest.mark.parametrize(
    ("tasks", "noise"), [(("qa4",), False), (tuple(TASKS), False), (("qa1", "qa4"), True)]
)
def test_directions_are_practised_before_rows_are_told(tasks, noise):
    first, *later = [stage for stage in stages_for(tasks, noise=noise) if "qa4" in stage.tasks]
    assert first.practice
    assert first.n_sentences >= 4  # or a place around the middle would be left out
    assert later
    assert not any(stage.practice for stage in later)


@pytest.mark.parametrize("changes", [{"noise": 0.5}, {"n_sentences": 3}])
def test_a_stage_that_would_cut_what_is_practised_is_refused(changes):
    with pytest.raises(ValueError, match="give it no noise and at least 4 sentences"):
        Stage(**({"tasks": ("qa4",), "n_sentences": 4, "practice": True} | changes))


@pytest.mark.parametrize(
    "changes", [{"least_noise": 0.3}, {"noise": 1.0}, {"noise": 0.2, "least_noise": 0.4}]
)
def test_a_stage_with_shares_of_noise_out_of_range_is_refused(changes):
    with pytest.raises(ValueError, match="give 0 <= least <= most < 1"):
        Stage(("qa1",), 5, **changes)


def test_lists_are_asked_about_as_one_word(source):
    """Told stories of task 8 long enough, somebody carries two things; the answer is one token."""
    batches = [source.batch(i, Stage(("qa8",), 40), EVEN) for i in range(6)]
    answers = Counter(TOKENIZER.convert_ids_to_tokens(i) for b in batches for i in b.answer_ids.tolist())
    assert any("," in answer for answer in answers)
    assert "nothing" in answers


def test_stories_are_asked_only_what_they_can_answer(source):
    """Of one story come only questions that go together, and gifts only of stories with gifts."""
    stage = Stage(tuple(TASKS), 13)
    for i in range(20):
        batch = source.batch(i, stage, EVEN)
        for story in range(3):
            questions = {
                task for b, task in zip(batch.story.tolist(), batch.tasks, strict=True) if b == story
            }
            assert any(questions <= set(QUESTION_TASKS_OF.get(expected, (expected,))) for expected in TASKS)
            text = " ".join(words(sentence) for sentence in batch.story_ids[story]).split()
            assert ("qa5" in questions) <= bool({"gave", "handed", "passed"} & set(text))


NOISE = Noise("a test", "train", [f"a{i} text number n{i} ." for i in range(40)])
PIECES = [piece for i in range(40) for piece in (f"a{i} text number", f"n{i} .")] * 2  # of 3 tokens, 2 times
N_STORIES = 4
HIDING = Stage(("qa1", "qa2"), 6, n_before=21, noise=0.9)


NOISY = word_tokenizer(
    babi_words((*HIDING.tasks, "qa4")) | {word for s in NOISE.sentences for word in s.split()}
)


def hidden(index: int, stage: Stage = HIDING) -> tuple[StoryBatch, list[list[str]]]:
    """A batch of stories in noise, and its segments as text."""
    source = StorySource(
        NOISY, n_stories=N_STORIES, questions_per_sentence=1.5, seed=0, noise=NOISE, segment_length=3
    )
    batch = source.batch(index, stage, EVEN)
    ids = torch.cat([batch.before_ids, batch.story_ids], 1)
    return batch, [[NOISY.decode(x[x != 0]) for x in story] for story in ids]


def test_background_goes_on_behind_the_sentences_that_stand_in_it():
    """Cut after three tokens, sentence by sentence; where a statement stands, a piece of it is not seen."""
    for index in range(5):
        _, stories = hidden(index)
        for story in stories:
            is_noise = [segment in PIECES for segment in story]
            if not any(is_noise):
                continue
            first = is_noise.index(True)
            begins = PIECES.index(story[first]) - first
            assert all(s == PIECES[begins + i] for i, s in enumerate(story) if is_noise[i])


def test_up_to_the_stage_s_share_of_the_segments_is_background():
    shares = []
    for index in range(12):
        _, stories = hidden(index)
        shares += [sum(s in PIECES for s in story) / len(story) for story in stories]
    assert max(shares) <= HIDING.noise
    assert max(shares) > 0.75
    assert min(shares) < 0.2


def test_at_least_the_stage_s_share_of_the_segments_is_background():
    shares = []
    for index in range(12):
        _, stories = hidden(index, replace(HIDING, least_noise=0.7))
        shares += [sum(s in PIECES for s in story) / len(story) for story in stories]
        assert all(sum(s in PIECES for s in story) >= int(len(story) * 0.7) for story in stories)
    assert max(shares) > 0.8


def test_with_noise_stories_grow_by_more_and_more_background():
    stages = stages_for(("qa1", "qa5"), noise=True)
    lengths = [stage.n_before + stage.n_sentences for stage in stages]
    most = [stage.n_before * stage.noise for stage in stages]
    assert lengths == sorted(lengths)
    assert most == sorted(most)
    assert most[-1] > 690
    assert all(stage.least_noise <= stage.noise for stage in stages)


def test_a_row_in_noise_is_asked_about_anywhere_once_it_is_told():
    """In the part with a gradient, also when the row was told before it, and not only at the end."""
    places, last_lines = set(), set()
    for index in range(8):
        batch, stories = hidden(index, replace(HIDING, tasks=("qa4",)))
        n_before = batch.before_ids.shape[1]
        for b, segment in zip(batch.story.tolist(), batch.segment.tolist(), strict=True):
            last = max(i for i, text in enumerate(stories[b]) if text not in PIECES) - n_before
            assert max(last, 0) <= segment < 6
            places.add(segment)
            last_lines.add(last)
    assert places == set(range(6))
    assert min(last_lines) < 0 < max(last_lines)


def test_a_question_in_noise_is_about_what_was_told_before_it():
    """The place that is the answer has been named in the story at or before the segment it is asked after."""
    for index in range(5):
        batch, stories = hidden(index)
        n_before = batch.before_ids.shape[1]
        for b, segment, answer in zip(batch.story, batch.segment, batch.answer_ids, strict=True):
            expected = " ".join(stories[b][: n_before + segment + 1])
            assert NOISY.decode(answer) in expected
