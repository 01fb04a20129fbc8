"""Lines of a pair mark what differs, and are otherwise the sentences as they are."""

from dataclasses import replace

import pytest

from lm2core.babi.counterfactual import Counterfactual, draw_counterfactuals
from lm2viz.causal.pair_text import pair_lines

PAIR = Counterfactual(
    task="qa1",
    kind="place",
    sentences=("Mary went to the kitchen.", "John went back to the garden."),
    edited=("Mary went to the office.", "John went back to the garden."),
    changed=(0,),
    question="Where is Mary?",
    answer="kitchen",
    edited_answer="office",
    support=(0,),
    edited_support=(0,),
)


def test_the_changed_word_and_its_sentence_are_marked_on_both_sides():
    expected, edited = pair_lines(PAIR)
    assert expected == ["▶ 1  Mary went to the [kitchen]. *", "· 2  John went back to the garden."]
    assert edited == ["▶ 1  Mary went to the [office]. *", "· 2  John went back to the garden."]


def test_each_side_has_its_own_support():
    expected, edited = pair_lines(replace(PAIR, support=(1,)))
    assert [line.endswith("*") for line in (*expected, *edited)] == [False, True, True, False]


@pytest.mark.parametrize("kind", ["place", "person", "order", "support", "placebo"])
def test_marks_are_where_sentences_differ_and_without_them_the_sentences_remain(kind):
    for pair in draw_counterfactuals("qa2", kind, 3, 5, n_sentences=7):
        for lines, sentences in zip(pair_lines(pair), (pair.sentences, pair.edited), strict=True):
            assert tuple(i for i, line in enumerate(lines) if line.startswith("▶")) == pair.changed
            bare = [line.split("  ", 1)[1] for line in lines]
            assert tuple(b.replace("[", "").replace("]", "").removesuffix(" *") for b in bare) == sentences
            assert all(("[" in line) == line.startswith("▶") for line in lines)
