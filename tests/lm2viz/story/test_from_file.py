"""Traces from elsewhere: one story keeps its numbers, labels take the place of facts, the table adds up."""

from random import Random

import numpy as np
import pandas as pd
import pytest

from lm2core.reading.answers import read_stories
from lm2viz.figures.training import training_curves
from lm2viz.story import select
from lm2viz.story.from_file import check_shown, known_facts_table, select_story, writes_table
from tests.handmade import handmade_lm, handmade_stories, handmade_story


@pytest.fixture(scope="module")
def trace():
    stories = [*handmade_stories(2, n_sentences=4), handmade_story(Random(3), n_sentences=2)]
    return read_stories(handmade_lm(), stories)


def test_one_story_is_cut_to_its_own_sentences(trace):
    short = select_story(trace, 2)
    assert short.n_segments == 2
    assert select.slot_history(short, 3).shape == (1, 2)
    np.testing.assert_array_equal(
        select.slot_history(short, 3), select.slot_history(trace, 3, story=2)[:, :2]
    )
    assert short.info["stories"] == [trace.info["stories"][2]]
    check_shown(short)


def test_facts_are_those_of_the_trace_and_labels_replace_them(trace):
    known = known_facts_table(trace)
    for (story, segment), rows in known.groupby(["story", "segment"]):
        facts = trace.info["stories"][story]["facts"][segment]
        assert {r.fact: (r.value, r.since) for r in rows.itertuples()} == {
            n: tuple(f) for n, f in facts.items()
        }
    labels = pd.DataFrame({"story": [1, 1], "segment": [0, 2], "fact": ["mood"] * 2, "value": ["sad", "sad"]})
    mine = known_facts_table(trace, labels)
    assert mine[["story", "segment", "value", "since"]].values.tolist() == [
        [1, 0, "sad", 0],
        [1, 2, "sad", 2],
    ]


def test_labels_of_no_sentence_are_refused_with_the_places_there_are(trace):
    labels = pd.DataFrame({"story": [1, 2], "segment": [3, 3], "fact": "mood", "value": "sad"})
    with pytest.raises(ValueError, match="a label is about segment 3 of story 2, which has 0 to 1"):
        known_facts_table(trace, labels)


def test_the_table_adds_up_to_the_input_gates(trace):
    table = writes_table(trace, story=1)
    summed = table[table["sentence"] == 3].groupby("slot")["share_times_input_gate"].sum()
    np.testing.assert_allclose(summed, select.slot_gates(trace, 2, story=1)[0][0], atol=1e-6)
    assert table["word"].iloc[0] == trace.tokens[1][0][0]


def test_curves_hold_the_accuracies_and_the_floor_across_the_whole_run():
    figure = training_curves(
        [10, 20], {"qa1": [0.2, 0.4]}, [2.0, None], floors={"commonest": 0.3}, n_steps=70
    )
    accuracy, floor, loss = figure.data
    assert (list(accuracy.x), list(accuracy.y)) == ([10, 20], [0.2, 0.4])
    assert (list(floor.x), list(floor.y)) == ([0, 70], [0.3, 0.3])
    assert floor.line.dash == "dash"
    assert list(loss.y) == [2.0, None]
    assert figure.layout.yaxis.range == (0, 1.02)
