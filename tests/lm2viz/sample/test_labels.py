"""A table of one's own facts: the template has every sentence, and too many are named in a line."""

import pandas as pd
import pytest

from lm2viz.sample.labels import MAX_FACTS, MAX_VALUES, check_size, label_template

STORIES = [["Mary went home.", "Mary slept."], ["John ran.", "John fell.", "John got up."]]


def test_the_template_has_each_sentence_at_its_place():
    template = label_template(STORIES)
    assert template["sentence"].tolist() == [text for story in STORIES for text in story]
    for row in template.itertuples():
        assert STORIES[row.story][row.segment] == row.sentence
    assert set(template["fact"]) == set(template["value"]) == {""}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(f"fact {i}", "x") for i in range(MAX_FACTS + 1)], f"13 facts; at most {MAX_FACTS} are probed"),
        (
            [("word", f"value {i}") for i in range(MAX_VALUES + 1)],
            f"'word' has 21 values; at most {MAX_VALUES}",
        ),
    ],
)
def test_more_than_can_be_probed_is_named_in_one_line(rows, message):
    labels = pd.DataFrame(rows, columns=["fact", "value"])
    check_size(labels[1:])
    with pytest.raises(ValueError, match=message) as caught:
        check_size(labels)
    assert "\n" not in str(caught.value)
