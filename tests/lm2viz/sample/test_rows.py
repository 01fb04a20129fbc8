"""Rows of banks with the facts known at each, from traces and from a table."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from lm2core.errors import UserError
from lm2core.reading.answers import read_stories, read_story
from lm2core.traces.trace import Trace
from lm2viz.sample.rows import bank_rows, check_labels, read_labels
from tests.handmade import handmade_lm, handmade_stories

STORIES = [*handmade_stories(3, n_sentences=4), *handmade_stories(2, n_sentences=6, seed=1)]


@pytest.fixture(scope="module")
def lm():
    return handmade_lm()


def test_each_sentence_is_a_row_with_what_was_known_after_it(lm):
    trace = read_stories(lm, STORIES)
    rows = bank_rows(trace)
    assert rows.banks.shape == (3 * 4 + 2 * 6, 5, 18)
    assert rows.n_stories == 5
    row = next(i for i in range(len(rows.story)) if (rows.story[i], rows.segment[i]) == (4, 5))
    assert (rows.banks[row] == trace.arrays["hook_bank"][4, 5]).all()
    for person, place in STORIES[4].states[5].items():
        assert rows.facts[person][row] == place
    last = STORIES[4].statements[5]
    assert rows.since[f"place of {last.subject}"][row] == 5


def test_stories_count_on_over_traces(lm):
    parts = [read_stories(lm, STORIES[:2]), read_stories(lm, STORIES[2:])]
    together, apart = bank_rows(read_stories(lm, STORIES)), bank_rows(parts)
    assert (together.story == apart.story).all()
    np.testing.assert_allclose(together.banks, apart.banks, atol=1e-6)
    assert together.facts.equals(apart.facts)


def test_labels_of_one_s_own_take_the_place_of_facts(lm, tmp_path):
    trace = read_stories(lm, STORIES[:2])
    table = tmp_path / "labels.csv"
    table.write_text("story,segment,fact,value\n0,0,mood,calm\n0,1,mood,calm\n0,2,mood,wild\n1,3,mood,calm\n")
    rows = bank_rows(trace, read_labels(table))
    assert list(rows.facts.columns) == ["mood"]
    assert list(rows.facts["mood"][:4]) == ["calm", "calm", "wild", None]
    assert list(rows.since["mood"][:3]) == [0, 0, 2]
    assert rows.facts["mood"][7] == "calm"
    table.write_text("story,fact\n0,mood\n")
    with pytest.raises(ValueError, match="no column segment, value; it needs: story, segment, fact, value"):
        read_labels(table)


def test_a_bank_that_is_not_finite_is_left_out_and_counted(lm):
    trace = read_stories(lm, STORIES[:2])
    banks = trace.arrays["hook_bank"].copy()
    banks[1, 2, 3, 4] = np.nan
    broken = replace(trace, arrays={**trace.arrays, "hook_bank": banks})
    with pytest.warns(UserWarning, match="1 of 8 banks left out .* the first is of story 1, sentence 2"):
        rows = bank_rows(broken)
    assert (rows.n_nan, len(rows.story), len(rows.facts)) == (1, 7, 7)
    assert np.isfinite(rows.banks).all()
    with pytest.raises(ValueError, match="no bank of the trace is finite"):
        bank_rows(replace(trace, arrays={"hook_bank": np.full_like(banks, np.nan)}, axes=_axes(trace)))


@pytest.mark.parametrize(
    ("story", "segment", "message"),
    [
        (9, 0, "a label is about story 9; these are 0 to 2; read more, or omit it"),
        (-1, 0, "a label is about story -1; these are 0 to 2"),
        (0, 4, "a label is about segment 4 of story 0, which has 0 to 3; number its sentences from 0"),
        (2, -1, "a label is about segment -1 of story 2, which has 0 to 5"),
    ],
)
def test_a_label_of_no_sentence_is_refused_though_others_fit(lm, story, segment, message):
    trace = read_stories(lm, [*STORIES[:2], STORIES[3]])
    labels = pd.DataFrame({"story": [2, story], "segment": [5, segment], "fact": "mood", "value": "calm"})
    with pytest.raises(ValueError, match=message):
        bank_rows(trace, labels)
    assert bank_rows(trace, labels[:1]).facts["mood"].notna().sum() == 1


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("0,1,mood,calm\n0,1,mood,wild\n", "story 0, segment 1 has 'mood' twice; give one value each"),
        ("0,0,,calm\n0,1,mood,\n", "no row has both a fact and a value; fill in these columns"),
        ("0.5,0,mood,calm\n", "column story must have whole numbers from 0"),
        ("0,first,mood,calm\n", "column segment must have whole numbers from 0"),
    ],
)
def test_a_table_that_says_two_things_or_nothing_is_refused(tmp_path, lines, message):
    table = tmp_path / "labels.csv"
    table.write_text("story,segment,fact,value\n" + lines)
    with pytest.raises(ValueError, match=message):
        read_labels(table)


def test_rows_of_a_table_that_were_left_blank_do_not_count(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("story,segment,fact,value\n0,1,mood,calm\n0,1,mood,\n0,2,,\n1,0,place,home\n")
    assert read_labels(table)["value"].tolist() == ["calm", "home"]


def _axes(trace: Trace) -> dict[str, tuple[str, ...]]:
    return {"hook_bank": trace.axes["hook_bank"]}


def test_missing_hooks_and_mixed_models_are_named(lm):
    trace = read_stories(lm, STORIES[:2])
    with pytest.raises(ValueError, match=r"lacks hook_bank; record them with: lm2 trace CHECKPOINT"):
        bank_rows(read_story(lm, STORIES[0].sentences, names=["mem.hook_read"]))
    other = replace(trace, info={**trace.info, "model": "another"})
    with pytest.raises(ValueError, match="different models: handmade and another"):
        bank_rows([trace, other])


def test_two_checkpoints_of_one_name_are_told_apart_by_their_weights(lm):
    later = handmade_lm()
    assert len(bank_rows([read_stories(each, STORIES[:2]) for each in (lm, later)]).story) == 16
    with torch.no_grad():
        later.model.lm_head.weight[0] += 0.5
    traces = [read_stories(each, STORIES[:2]) for each in (lm, later)]
    with pytest.raises(ValueError, match=r"traces of handmade with different weights \(\w{16} and \w{16}\)"):
        bank_rows(traces)
    old = replace(traces[1], info={k: v for k, v in traces[1].info.items() if k != "weights"})
    assert len(bank_rows([traces[0], old]).story) == 16


def test_banks_over_the_budget_are_refused_before_they_are_held(lm):
    traces = [read_stories(lm, STORIES[first : first + 2]) for first in (0, 2)]
    size = bank_rows(traces).banks.nbytes
    assert bank_rows(traces, budget=f"{size / 1000:.3f}KB").banks.nbytes == size
    with pytest.raises(ValueError, match=r"banks of 4 stories take .* KB, the budget is .* use fewer"):
        bank_rows(traces, budget=f"{size / 1000 - 0.01:.3f}KB")
    with pytest.raises(ValueError, match="budget 'much' is not a size"):
        bank_rows(traces, budget="much")


def test_labels_are_checked_by_the_sizes_of_stories_alone():
    labels = pd.DataFrame({"story": [0, 1], "segment": [3, 6], "fact": "mood", "value": "calm"})
    check_labels(labels, [4, 7])
    with pytest.raises(UserError, match="a label is about segment 6 of story 1, which has 0 to 5"):
        check_labels(labels, [4, 6])
    with pytest.raises(UserError, match="a label is about story 1; these are 0 to 0"):
        check_labels(labels, [4])


@pytest.mark.parametrize(
    ("path", "opener"), [("a.safetensors", "Trace.load"), (Path("traces"), "TraceFolder")]
)
def test_a_path_is_refused_with_what_opens_it(path, opener):
    with pytest.raises(UserError, match=rf"got the path '{path}'; open it: {opener}\('{path}'\)"):
        bank_rows(path)
