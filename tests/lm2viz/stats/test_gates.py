"""Gates of the model made by hand are what was built in; a slot remembers until its person moves."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

from lm2core.reading.answers import read_stories, read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.stats import gate_stats
from tests.conftest import make_model
from tests.handmade import MEMORY_BLOCK, SLOT_OF, TOKENIZER, UNUSED, handmade_lm, handmade_stories

STORIES = [*handmade_stories(7, n_sentences=5), *handmade_stories(4, n_sentences=8, seed=1)]
N_SENTENCES = 7 * 5 + 4 * 8


def untrained_lm(**changes):
    return LoadedModel("untrained", make_model(vocab_size=len(TOKENIZER), **changes), TOKENIZER)


@pytest.fixture(scope="module")
def trace():
    return read_stories(handmade_lm(), STORIES)


@pytest.fixture(scope="module")
def result(trace):
    return gate_stats(trace)


def said_of(person):
    return sum(statement.subject == person for story in STORIES for statement in story.statements)


def test_a_slot_keeps_everything_but_in_sentences_about_its_person(result):
    for person, slot in SLOT_OF.items():
        others = 1 - said_of(person) / N_SENTENCES
        assert result.model.keep.at(0, slot).value == pytest.approx(others, abs=1e-4)
        life = result.model.half_lives.at(slot)
        assert life.value == pytest.approx(log(2) / -log(others), rel=1e-3)
        assert life.low < life.value < life.high
        assert life.n == N_SENTENCES


def test_input_gates_open_in_four_dimensions_when_a_place_is_said(result):
    assert result.blocks == (MEMORY_BLOCK,)
    for person, slot in SLOT_OF.items():
        expected = said_of(person) / N_SENTENCES * 4 / 18
        assert result.model.input_gate.at(0, slot).value == pytest.approx(expected, abs=1e-3)


def test_a_slot_that_nothing_is_written_to_never_forgets(result):
    assert result.model.half_lives.value[UNUSED[0]] == np.inf
    figure = result.figure()
    slots = [note.x for note in figure.layout.annotations if note.text == "inf"]
    assert [round(x) for x in slots] == [i for i in range(5) if np.isinf(result.model.half_lives.value[i])]
    assert np.isfinite(np.asarray(figure.data[0].y)).all()
    assert "longest half-life: model slot" in result.summary() and "inf" in result.summary()


def test_blocks_keep_what_their_shares_multiply_to():
    """Three blocks with memory, by a plain loop; also how sentences after a story's end are left out."""
    trace = read_stories(untrained_lm(), STORIES)
    stats = gate_stats(trace)
    keep = []
    for b, words in enumerate(trace.tokens):
        for s in range(len(words)):
            product = np.ones((5, 12))
            for block in (0, 1, 2):
                product *= trace.select(f"blocks.{block}.mem.hook_gate_forget", story=b, segment=s)
            keep.append(product.mean(axis=1))
    np.testing.assert_allclose(stats.model.keep_all_blocks.value, np.mean(keep, axis=0), rtol=1e-5)
    assert stats.model.input_gate.value.shape == (3, 5)


def test_a_slot_is_chosen_on_every_second_story_and_scored_on_the_others():
    """The same of each half alone; and the untrained model names a slot of its own."""
    lm, other = untrained_lm(seed=1), untrained_lm(seed=4)
    stats = gate_stats(read_stories(lm, STORIES), untrained=read_stories(other, STORIES))
    for gates, model in ((stats.model, lm), (stats.untrained, other)):
        choosing, scoring = (
            gate_stats(read_stories(model, half)).model for half in (STORIES[::2], STORIES[1::2])
        )
        slot, life = gates.extreme(-1)
        assert slot == choosing.half_lives.value.argmax()
        assert life.value == pytest.approx(scoring.half_lives.value[slot], rel=1e-5)


def test_parts_of_the_stories_give_what_all_at_once_do(result):
    parts = [read_stories(handmade_lm(), part) for part in (STORIES[:3], STORIES[3:])]
    together = gate_stats(parts)
    np.testing.assert_allclose(together.table()["value"], result.table()["value"], rtol=1e-5)
    np.testing.assert_allclose(together.table()["low"], result.table()["low"], rtol=1e-5)


def test_an_untrained_model_stands_beside_it():
    stats = gate_stats(
        read_stories(untrained_lm(seed=1), STORIES),
        untrained=read_stories(untrained_lm(seed=2), STORIES),
    )
    assert list(stats.table()["variant"].unique()) == ["model", "untrained"]
    assert len(stats.table()) == 2 * (2 * 3 * 5 + 5)
    assert [trace.name for trace in stats.figure().data] == ["model", "untrained"]
    assert "; untrained slot" in stats.summary()


def test_sentences_whose_gates_are_not_finite_are_counted(trace):
    name = f"blocks.{MEMORY_BLOCK}.mem.hook_gate_forget"
    gate = trace.arrays[name].copy()
    gate[2, 4, 1, 3] = np.nan
    gate[2, 6] = np.nan  # behind the end of the story: not counted
    stats = gate_stats(replace(trace, arrays={**trace.arrays, name: gate}))
    assert (stats.model.n_nan, stats.model.half_lives.n) == (1, N_SENTENCES - 1)
    assert "excluded for the model: 1 sentences with a gate that is not finite" in stats.summary()


def test_missing_gates_one_story_and_another_size_are_refused(trace):
    reads = read_story(handmade_lm(), STORIES[0].sentences, names=["mem.hook_read"])
    with pytest.raises(ValueError, match=r"lacks blocks.1.mem.hook_gate_in, .*record them with: lm2 trace"):
        gate_stats(reads)
    with pytest.raises(
        ValueError, match="1 stories with finite gates; an interval over stories needs at least 2"
    ):
        gate_stats(read_stories(handmade_lm(), STORIES[:1]))
    with pytest.raises(ValueError, match=r"\(1, 5\) blocks and slots, untrained \(3, 5\)"):
        gate_stats(trace, untrained=read_stories(untrained_lm(), STORIES))
