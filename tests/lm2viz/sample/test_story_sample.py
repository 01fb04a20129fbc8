"""One sample for all: how stories are seeded, taken from files and traces, read in parts, and controlled."""

from threading import Lock

import numpy as np
import pytest
import torch

from lm2core.babi.text import read_babi, write_babi
from lm2core.errors import UserError
from lm2core.reading.answers import read_stories
from lm2core.reading.checkpoints import load
from lm2core.reading.story_traces import record_to
from lm2viz.cli.main import main
from lm2viz.sample import parts
from lm2viz.sample.rows import bank_rows
from lm2viz.sample.story_sample import StorySample
from tests.handmade import handmade_lm, handmade_stories

STORIES = [*handmade_stories(3, n_sentences=4), *handmade_stories(2, n_sentences=6, seed=1)]


@pytest.fixture(scope="module")
def lm():
    return handmade_lm()


def test_a_larger_sample_begins_with_the_smaller_one_and_every_story_can_be_had_alone():
    smaller, larger = StorySample("qa2", 3, seed=5).stories, StorySample("qa2", 7, seed=5).stories
    assert larger[:3] == smaller
    assert StorySample("qa2", 1, seed=9).stories[0] == larger[4]
    assert len({story.sentences for story in larger}) == 7


def test_commands_that_write_stories_tell_those_of_the_sample(tmp_path):
    options = ["--task", "qa2", "--stories", "3", "--seed", "4"]
    assert main(["babi", *options, "--out", str(tmp_path)]) == 0
    assert main(["trace", "babi-qa1-3", *options, "--hooks", "hook_bank", "--out", str(tmp_path / "t")]) == 0
    expected = [story.sentences for story in StorySample("qa2", 3, seed=4).stories]
    assert [one.sentences for one in read_babi(tmp_path / "qa2_generated.txt")] == expected
    (trace,) = StorySample(tmp_path / "t").read()
    assert [tuple(story["sentences"]) for story in trace.info["stories"]] == expected


def test_a_file_and_a_list_are_cut_to_their_first_stories(tmp_path):
    stories = StorySample("qa1", 4).stories
    write_babi(tmp_path / "own.txt", stories)
    assert len(StorySample(tmp_path / "own.txt").stories) == 4
    assert [s.sentences for s in StorySample(str(tmp_path / "own.txt"), 2).stories] == [
        story.sentences for story in stories[:2]
    ]
    assert StorySample(stories, 3).stories == stories[:3]


def test_parts_hold_the_banks_of_reading_all_at_once_and_keep_the_lock_between_them_free(lm, monkeypatch):
    monkeypatch.setattr(parts, "PART_SENTENCES", 9)
    lock, taken = Lock(), []

    class Counted:
        def __enter__(self):
            taken.append(lock.acquire(timeout=1))

        def __exit__(self, *_):
            lock.release()

    traces = StorySample(STORIES).read(lm, lock=Counted())
    assert [len(trace.tokens) for trace in traces] == [2, 1, 1, 1]
    assert taken == [True] * 4
    rows, whole = bank_rows(traces), bank_rows(read_stories(lm, STORIES))
    np.testing.assert_allclose(rows.banks, whole.banks, atol=1e-6)
    assert (rows.story == whole.story).all()
    assert rows.facts.equals(whole.facts)


def test_recorded_traces_give_the_rows_of_reading_anew(lm, tmp_path):
    record_to(tmp_path, lm, STORIES, names=["hook_bank"])
    from_folder, read = StorySample(tmp_path).rows(), StorySample(STORIES).rows(lm)
    np.testing.assert_allclose(from_folder.banks, read.banks, atol=1e-6)
    assert from_folder.facts.equals(read.facts)
    file = next(tmp_path.glob("part-*"))
    for source in (str(file), StorySample(file).read()[0], StorySample(file).read()):
        np.testing.assert_array_equal(StorySample(source).rows().banks, from_folder.banks)


def test_the_control_is_the_same_for_the_same_seed_and_has_the_sizes_of_the_model(lm):
    def weights(seed):
        _, control = StorySample(STORIES, seed=seed).model_and_control(lm)
        assert control.name == "untrained"
        assert control.model.config is lm.model.config
        return torch.cat([weight.flatten() for weight in control.model.parameters()])

    assert weights(0).equal(weights(0))
    assert not weights(0).equal(weights(1))


def test_questions_count_their_stories_within_the_trace_that_they_are_about(lm, monkeypatch):
    monkeypatch.setattr(parts, "PART_SENTENCES", 9)
    sample = StorySample(STORIES)
    asked = sample.questions(lm, sample.read(lm), ["mem.hook_read_pattern"])
    given = [question["given"] for trace in asked for question in trace.info["asked"]]
    assert given == [question.answer for story in STORIES for question in story.questions]
    assert max(question["story"] for trace in asked for question in trace.info["asked"]) == 1


def test_up_to_keeps_whole_stories_from_the_first_on():
    sample = StorySample(STORIES)
    assert sample.up_to(4 * 3 + 6).n == 4
    assert sample.up_to(4 * 3 + 5).n == 3
    assert sample.up_to(1).n == 1
    assert sample.up_to(1_000).stories == STORIES


def test_names_of_facts_are_the_columns_of_the_rows():
    sample = StorySample("qa2", 6)
    assert sample.fact_names == sorted(sample.rows(load("babi-qa1-3")).facts.columns)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: StorySample("qa1"), r"Give n, such as StorySample\('qa1', 200\)"),
        (lambda folder: StorySample("qa1", 0), "n = 0 stories; give 1 or more"),
        (lambda folder: StorySample("qa1", 2, seed=-1), "seed -1; give 0 or more"),
        (lambda folder: StorySample(folder / "x.safetensors", 3), "traces, which are always used whole"),
        (lambda folder: StorySample("qa99", 3).stories, "unknown task 'qa99'"),
        (lambda folder: StorySample("no.txt", 3).stories, "cannot read no.txt"),
        (lambda folder: StorySample(folder / "x.safetensors").stories, "cannot be read again"),
        (lambda folder: StorySample("qa1", 2).read(), "a model must read these stories"),
        (lambda folder: StorySample(STORIES).read(handmade_lm(), budget="1kB"), "traces of 5 stories would"),
    ],
)
def test_what_cannot_be_a_sample_is_refused(make, message, tmp_path):
    with pytest.raises(UserError, match=message):
        make(tmp_path)
