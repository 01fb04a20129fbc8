"""Traces of many stories: their truth, their questions, and parts of them in files."""

from random import Random

import numpy as np
import pytest
import torch

from lm2core.babi.tasks import Question, make_story
from lm2core.babi.text import TextStory
from lm2core.babi.vocabulary import babi_words
from lm2core.errors import UserError
from lm2core.reading import story_traces
from lm2core.reading.answers import ask, bank_after, read_stories, read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.story_traces import (
    record_questions,
    record_to,
    recorded_bytes,
    single_question_trace,
)
from lm2core.text.tokenizer import word_tokenizer
from lm2core.traces import array_file
from lm2core.traces.folder import TraceFolder
from lm2core.traces.reductions import Reduction
from tests.conftest import make_model

STORIES = [make_story(task, Random(seed)) for seed, task in enumerate(["qa1", "qa2", "qa1", "qa6", "qa2"])]
WORDS = word_tokenizer(babi_words(("qa1", "qa2", "qa6")))


@pytest.fixture(scope="module")
def lm():
    return LoadedModel("untrained", make_model(vocab_size=len(WORDS)), WORDS)


@pytest.fixture(scope="module")
def trace(lm):
    return read_stories(lm, STORIES)


def test_a_story_among_longer_ones_gives_the_trace_it_gives_alone(lm, trace):
    alone = read_story(lm, STORIES[0].sentences)
    n_segments, n_tokens = alone.n_segments, len(trace.tokens[0][0])
    assert len(trace.tokens[0]) == n_segments < trace.n_segments
    for name in ("hook_bank", "blocks.1.mem.hook_write"):
        torch.testing.assert_close(
            torch.tensor(trace.arrays[name][0, :n_segments]), torch.tensor(alone.arrays[name][0])
        )
    pattern = "blocks.2.mem.hook_write_pattern"
    np.testing.assert_allclose(
        trace.select(pattern, story=0, segment=0)[:n_tokens],
        alone.select(pattern, story=0, segment=0)[:n_tokens],
        atol=1e-6,
    )


def test_a_trace_knows_what_its_stories_told(trace, tmp_path):
    trace.save(tmp_path / "t.safetensors")
    again = type(trace).load(tmp_path / "t.safetensors")
    for story, b in ((STORIES[0], 0), (STORIES[3], 3)):
        statement = story.statements[-1]
        value, since = again.info["stories"][b]["facts"][-1][f"place of {statement.subject}"]
        assert since <= len(story.sentences) - 1
        assert story.states[-1][f"place of {statement.subject}"] == value
    assert again.info["stories"][1]["questions"][0]["answer"] == STORIES[1].questions[0].answer


def test_facts_of_a_story_from_a_file_are_those_its_sentences_tell(lm):
    trace = read_stories(lm, [TextStory(("Mary went to the office.",), ())])
    assert trace.info["stories"][0]["facts"] == [{"place of Mary": ("office", 0)}]
    other = read_stories(lm, [TextStory(("Mary the office.",), ())])  # no sentence of a task
    assert other.info["stories"][0]["facts"] is None


def test_questions_are_asked_of_the_bank_of_their_story_at_their_time(lm, trace):
    question_trace = record_questions(lm, trace)
    row = next(i for i, q in enumerate(question_trace.info["asked"]) if q["story"] == 3)
    question = question_trace.info["asked"][row]
    alone = read_story(lm, STORIES[3].sentences)
    answer = ask(lm, question["text"], bank_after(alone, question["n_statements"], lm.model))
    assert question["given"] == answer.words[0]
    n_words = len(question_trace.tokens[row][0])
    for name in ("blocks.0.mem.hook_read_pattern", "blocks.2.hook_mem_out"):
        np.testing.assert_allclose(
            np.moveaxis(question_trace.select(name, story=row, segment=0), -2, 0)[:n_words],
            np.moveaxis(answer.trace.select(name, story=0, segment=0), -2, 0)[:n_words],
            atol=1e-5,
        )


def test_a_trace_without_questions_or_banks_says_what_is_missing(lm):
    with pytest.raises(ValueError, match="the trace has no questions; record stories with"):
        record_questions(lm, read_story(lm, STORIES[0].sentences))
    with pytest.raises(ValueError, match="no hook_bank; record it again with --hooks"):
        record_questions(lm, read_stories(lm, STORIES, names=["mem.hook_read"]))


def test_parts_within_the_budget_hold_all_stories(lm, trace, tmp_path):
    parts = record_to(tmp_path / "parts", lm, STORIES, names=["hook_bank"], budget="8KB")
    assert len(parts) > 1
    sizes = [sum(array.nbytes for array in part.arrays.values()) for part in parts]
    assert max(sizes) <= 8_000
    expected = [
        story["sentences"] for part in TraceFolder(tmp_path / "parts") for story in part.info["stories"]
    ]
    assert expected == [list(story.sentences) for story in STORIES]
    first = parts[0].arrays["hook_bank"][0, len(STORIES[0].sentences) - 1]
    np.testing.assert_allclose(first, trace.arrays["hook_bank"][0, len(STORIES[0].sentences) - 1], atol=1e-6)
    assert len(parts[0:2]) == 2


def test_a_budget_below_one_story_and_a_used_folder_are_refused(lm, tmp_path):
    with pytest.raises(ValueError, match="the budget is 1KB; use fewer hooks"):
        record_to(tmp_path / "small", lm, STORIES, budget="1KB")
    record_to(tmp_path / "full", lm, STORIES[:1], names=["hook_bank"])
    with pytest.raises(ValueError, match="already has traces; choose an empty folder"):
        record_to(tmp_path / "full", lm, STORIES[:1])
    with pytest.raises(ValueError, match="nothing has no traces"):
        TraceFolder(tmp_path / "nothing")


def test_parts_that_the_disk_has_no_room_for_together_are_refused_before_the_first(lm, tmp_path, monkeypatch):
    budget = f"{recorded_bytes(lm, STORIES) / 2000}KB"
    usage, n_bytes = array_file.shutil.disk_usage(tmp_path), recorded_bytes(lm, STORIES, budget=budget)
    monkeypatch.setattr(array_file.shutil, "disk_usage", lambda _: usage._replace(free=n_bytes - 1))
    monkeypatch.delattr(story_traces, "read_stories")
    with pytest.raises(UserError, match="the trace takes .* free; record fewer hooks"):
        record_to(tmp_path / "traces", lm, STORIES, budget=budget)
    assert is_as_before(tmp_path / "traces")


def is_as_before(folder, remaining=()):
    """Whether neither a part nor anything half-made is left."""
    return sorted(path.name for path in folder.iterdir()) == sorted(remaining)


@pytest.mark.parametrize(
    ("last", "text"),
    [
        (TextStory(("Gandalf went to the office.",), ()), "unknown words: Gandalf; this model knows"),
        (TextStory(("Mary went to the office.",) * 99, ()), "story 6 alone would take .* the budget is 8KB"),
        (
            TextStory((), (Question("Where is Mary?", "kitchen", (), 0),)),
            "the story 6 of 6 is empty; give it at least one sentence",
        ),
    ],
    ids=["unknown word", "too large", "no sentence"],
)
def test_a_later_story_that_cannot_be_read_is_found_before_a_folder_is_made(lm, tmp_path, last, text):
    with pytest.raises(ValueError, match=text):
        record_to(tmp_path / "a" / "b", lm, [*STORIES, last], names=["hook_bank"], budget="8KB")
    assert is_as_before(tmp_path)


def test_no_story_makes_no_folder(lm, tmp_path):
    with pytest.raises(ValueError, match="there is no story to read"):
        record_to(tmp_path / "none", lm, [])
    assert is_as_before(tmp_path)


def test_an_interrupted_recording_leaves_nothing_that_opens(lm, tmp_path, monkeypatch):
    saved = []

    def read(*args, to, **options):
        if len(saved) == 2:
            raise KeyboardInterrupt
        saved.append(to)
        return read_stories(*args, to=to, **options)

    monkeypatch.setattr(story_traces, "read_stories", read)
    options = {"names": ["hook_bank"], "budget": "8KB"}
    with pytest.raises(KeyboardInterrupt):
        record_to(tmp_path / "parts", lm, STORIES, **options)
    assert len(saved) == 2
    assert is_as_before(tmp_path / "parts")
    monkeypatch.undo()
    assert len(record_to(tmp_path / "parts", lm, STORIES, **options)) > 2
    assert is_as_before(tmp_path, ["parts"])


def test_a_folder_that_cannot_be_taken_is_refused_before_the_work(lm, tmp_path, monkeypatch):
    monkeypatch.setattr(story_traces, "read_stories", lambda *_, **__: pytest.fail("it was recorded"))
    (tmp_path / "file").touch()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    for name in ("file", "file/x"):
        with pytest.raises(ValueError, match="cannot write .*file.*; choose another folder"):
            record_to(tmp_path / name, lm, STORIES)
    with pytest.raises(ValueError, match="mine is not empty; choose an empty folder"):
        record_to(tmp_path / "mine", lm, STORIES)


def test_an_empty_folder_is_filled_also_through_a_link(lm, tmp_path):
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    record_to(tmp_path / "link", lm, STORIES[:2], names=["hook_bank"])
    assert is_as_before(tmp_path / "there", ["part-00000.safetensors"])


def test_a_question_of_one_s_own_is_recorded_as_those_of_the_story(lm, trace):
    recorded = record_questions(lm, trace)
    i, known = next((i, q) for i, q in enumerate(recorded.info["asked"]) if q["story"] == 0)
    step = known["n_statements"]
    answer = ask(lm, known["text"], bank_after(read_story(lm, STORIES[0].sentences), step, lm.model))
    once = single_question_trace(answer, step, support=known["support"])
    assert once.info["asked"] == [known | {"story": 0, "answer": None, "support": list(known["support"])}]
    assert once.info["model"] == recorded.info["model"]
    n_tokens = len(once.tokens[0][0])
    for name in ("blocks.1.mem.hook_read_pattern", "blocks.2.hook_mem_out"):
        alone, among = once.arrays[name][0], recorded.arrays[name][i]
        np.testing.assert_allclose(alone[..., :n_tokens, :], among[..., :n_tokens, :], atol=1e-5)


def test_a_folder_with_a_part_missing_is_refused(lm, tmp_path):
    names, folder = ["hook_bank"], tmp_path / "traces"
    one = max(recorded_bytes(lm, [story], names=names) for story in STORIES)
    parts = record_to(folder, lm, STORIES, names=names, budget=f"{one / 1000}KB")
    assert len(parts) >= 3
    for part in (1, len(parts) - 1):
        file = folder / f"part-{part:05d}.safetensors"
        content = file.read_bytes()
        file.unlink()
        with pytest.raises(ValueError, match=rf"lacks {file.name} of {len(parts)} parts; copy the whole"):
            TraceFolder(folder)
        file.write_bytes(content)
    assert len(TraceFolder(folder)) == len(parts)


def test_the_estimate_is_the_bytes_that_are_recorded(lm, tmp_path):
    kept = Reduction(mean_heads=True, mean_width=True, dtype="bfloat16")
    expected = recorded_bytes(lm, STORIES, reduce=kept, budget="100KB")
    parts = record_to(tmp_path / "traces", lm, STORIES, reduce=kept, budget="100KB")
    assert len(parts) > 1
    assert sum(part.arrays.n_bytes for part in parts) == expected
