"""A table of one's own facts: the template has every sentence, and what cannot be used is named in a line."""

import pandas as pd
import pytest

from lm2viz.own_labels import MAX_FACTS, MAX_VALUES, checked_labels, label_template

STORIES = [["Mary went home.", "Mary slept."], ["John ran.", "John fell.", "John got up."]]
N_SEGMENTS = [len(story) for story in STORIES]


def table(*rows):
    return pd.DataFrame(rows, columns=["story", "segment", "fact", "value"])


def test_the_template_has_each_sentence_at_its_place():
    template = label_template(STORIES)
    assert template["sentence"].tolist() == [text for story in STORIES for text in story]
    for row in template.itertuples():
        assert STORIES[row.story][row.segment] == row.sentence
    assert set(template["fact"]) == set(template["value"]) == {""}


def test_only_filled_rows_count():
    filled = table((0, 1, "mood", "tired"), (0, 0, None, None), (1, 2, "mood", None), (1, 0, "mood", "awake"))
    assert checked_labels(filled, N_SEGMENTS).to_numpy().tolist() == [
        [0, 1, "mood", "tired"],
        [1, 0, "mood", "awake"],
    ]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([(0, 0, None, "x")], "no row has both a fact and a value"),
        ([(0.5, 0, "mood", "x")], "whole numbers from 0"),
        ([("first", 0, "mood", "x")], "whole numbers from 0"),
        ([(2, 0, "mood", "x")], "no story 2 was read, only 0 to 1"),
        ([(-1, 0, "mood", "x")], "no story -1 was read"),
        ([(0, 2, "mood", "x")], "story 0 has no segment 2, only 0 to 1"),
        ([(0, 1, "mood", "x"), (0, 1, "mood", "y")], "story 0, segment 1 has 'mood' twice"),
        ([(0, 0, f"fact {i}", "x") for i in range(MAX_FACTS + 1)], f"at most {MAX_FACTS} are probed"),
    ],
)
def test_what_cannot_be_used_is_named_in_one_line(rows, told):
    with pytest.raises(ValueError, match=told) as caught:
        checked_labels(table(*rows), N_SEGMENTS)
    assert "\n" not in str(caught.value)


def test_a_fact_of_too_many_values_is_named():
    n = MAX_VALUES + 1
    rows = [(0, segment, "word", f"value {segment}") for segment in range(n)]
    with pytest.raises(ValueError, match=f"'word' has {n} values; at most {MAX_VALUES}"):
        checked_labels(table(*rows), [n])
