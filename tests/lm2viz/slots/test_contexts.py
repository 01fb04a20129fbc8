"""What writes to a slot and reads it is found, in many traces as in one, and not where slots are shuffled."""

import weakref
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lm2core.reading.answers import read_stories
from lm2core.reading.story_traces import record_questions, record_to
from lm2core.traces.folder import TraceFolder
from lm2core.traces.trace import Trace
from lm2viz.slots import top_contexts
from lm2viz.slots.contexts import READS, WRITES
from tests.handmade import MEMORY_BLOCK, PLACES, SLOT_OF, handmade_lm, handmade_stories

LM, STORIES = handmade_lm(), handmade_stories(40)
WRITE = f"blocks.{MEMORY_BLOCK}.mem.hook_write_pattern"


@pytest.fixture(scope="module")
def trace():
    return read_stories(LM, STORIES)


@pytest.fixture(scope="module")
def result(trace):
    return top_contexts(trace, record_questions(LM, trace))


@pytest.mark.parametrize("person", SLOT_OF)
def test_a_place_said_of_a_person_writes_to_the_persons_slot(result, person):
    *contexts, other = result.contexts[WRITES][SLOT_OF[person]]
    assert {context.words for context in contexts} == {(person.lower(), place) for place in PLACES}
    assert other.strength < 1e-6
    for context in contexts:
        assert (context.token, context.block) == (1, MEMORY_BLOCK)
        assert context.strength > 0.2  # the gate lets 4 of 18 dimensions in
        assert STORIES[context.story].sentences[context.segment].lower() == " ".join(context.words)
    assert {one.text for one in result.of(SLOT_OF[person])} <= set(PLACES)


@pytest.mark.parametrize("person", SLOT_OF)
def test_the_question_about_a_person_reads_the_persons_slot_and_no_other(result, person):
    best = result.of(SLOT_OF[person], READS)[0]
    assert best.text == f"where {person.lower()} ?"
    assert best.strength.value > 0.9
    assert best.in_other_slots.value == pytest.approx(
        1 / 5
    )  # "where" says no person, so it looks at all slots alike
    assert best.strength.n == best.in_other_slots.n >= 5
    assert result.contexts[READS][SLOT_OF[person]][0].words == ("where", person.lower(), "?")


def test_nothing_writes_to_a_slot_that_holds_nothing(result):
    assert all(one.strength.high < 1e-6 for one in result.of(1))
    assert all(context.strength < 1e-6 for context in result.contexts[WRITES][1])


def test_contexts_say_each_sentence_once_strongest_first_with_its_token_marked(result):
    for by_slot in result.contexts.values():
        for contexts in by_slot:
            strengths = [context.strength for context in contexts]
            assert strengths == sorted(strengths, reverse=True)
            assert len({context.words for context in contexts}) == len(contexts) <= 5
    assert str(result.contexts[WRITES][3][0]).startswith("mary [")


def test_summary_table_and_figure_have_the_control(result):
    for slot in SLOT_OF.values():
        assert result.of(slot, READS)[0].compared.startswith("more")
    assert {one.compared.split()[0] for one in result.of(1)} == {"less"}
    assert result.summary().count("more than in other slots") >= len(SLOT_OF)
    table = result.table()
    assert set(table["kind"]) == {WRITES, READS}
    assert table[["strength", "elsewhere"]].notna().all().all()
    names = {bar.name for bar in result.figure().data}
    assert names == {"this slot", "control: in the other slots"}


def by_hand(share, gate, words):
    """One story a row: ``share`` (n_stories, n_tokens, n_slots), one gate for all."""
    share = np.array(share)[:, None]
    prefix = "blocks.0.mem"
    arrays = {
        f"{prefix}.hook_write_pattern": share,
        f"{prefix}.hook_gate_in_token": np.full((*share.shape[:3], 2), gate),
    }
    axes = {
        f"{prefix}.hook_write_pattern": ("story", "segment", "token", "slot"),
        f"{prefix}.hook_gate_in_token": ("story", "segment", "token", "dim"),
    }
    return Trace(arrays, axes, [[list(words)]] * len(share), {"model": "by hand"})


def test_strength_is_share_times_gate_and_the_control_is_the_mean_of_the_others():
    shares = [[[0.1, 0.6, 0.3], [0.7, 0.1, 0.2]]] * 4
    result = top_contexts(by_hand(shares, 0.5, ("a", "b")), n_texts=1)
    first, second, third = result.strengths
    assert [one.text for one in result.strengths] == ["b", "a", "a"]
    assert (first.strength.value, first.in_other_slots.value) == pytest.approx((0.35, 0.075))
    assert (second.strength.value, second.in_other_slots.value) == pytest.approx((0.3, 0.1))
    assert (third.strength.value, third.strength.n) == (pytest.approx(0.15), 2)
    assert str(result.contexts[WRITES][1][0]) == "[a] b (0.30)"


def test_a_questions_strength_is_its_strongest_words_attention_times_gate():
    stories = by_hand([[[0.5, 0.5, 0.0]]] * 4, 0.5, ("a",))
    attention = np.array(
        [[[0.2, 0.8, 0.0], [0.6, 0.0, 0.4]], [[0.4, 0.6, 0.0], [0.0, 1.0, 0.0]]]
    )  # two heads
    prefix = "blocks.0.mem"
    arrays = {
        f"{prefix}.hook_read_pattern": np.broadcast_to(attention, (4, 1, 2, 2, 3)).copy(),
        f"{prefix}.hook_gate_out": np.tile([[[0.5, 0.7], [0.1, 0.3]]], (4, 1, 1, 1)),
    }
    axes = {
        f"{prefix}.hook_read_pattern": ("story", "segment", "head", "token", "slot"),
        f"{prefix}.hook_gate_out": ("story", "segment", "token", "dim"),
    }
    info = {"model": "by hand", "asked": [{"story": b} for b in range(4)]}
    result = top_contexts(stories, Trace(arrays, axes, [[["where", "?"]]] * 4, info))
    values = [result.of(slot, READS)[0].strength.value for slot in range(3)]
    assert values == pytest.approx([0.3 * 0.6, 0.7 * 0.6, 0.2 * 0.2])
    assert str(result.contexts[READS][2][0]) == "where [?] (0.04)"


def test_slots_shuffled_at_every_token_leave_no_word_with_a_slot(trace):
    pattern = trace.arrays[WRITE]
    shuffled = np.random.default_rng(0).permuted(pattern, axis=-1)
    result = top_contexts(replace(trace, arrays={**trace.arrays, WRITE: shuffled}))
    places = [one for one in result.strengths if one.text in PLACES]
    assert places
    assert all(one.p > 0.001 for one in places)
    assert np.mean([one.strength.value - one.in_other_slots.value for one in places]) == pytest.approx(
        0, abs=0.02
    )


class Fleeting(Sequence):
    """Traces that are made when asked for; counts those that live at once."""

    def __init__(self, parts):
        self._parts, self._alive, self.most = parts, weakref.WeakSet(), 0

    def __len__(self):
        return len(self._parts)

    def __getitem__(self, index):
        if index >= len(self._parts):
            raise IndexError(index)
        trace = Living(read_stories(LM, self._parts[index]))
        self._alive.add(trace)
        self.most = max(self.most, len(self._alive))
        return trace


class Living(Trace):
    """A trace that weak references may point to."""

    def __init__(self, trace):
        super().__init__(trace.arrays, trace.axes, trace.tokens, trace.info)

    __hash__ = object.__hash__


def test_many_traces_are_looked_at_one_by_one():
    traces = Fleeting([STORIES[i : i + 5] for i in range(0, 40, 5)])
    result = top_contexts(traces, n_texts=1)
    assert result.n_stories == 40
    assert traces.most <= 3  # the first, for its model; the last; the next one being opened


def test_a_folder_of_traces_says_the_same_as_one_trace(trace, tmp_path):
    select_story = len(STORIES[0].sentences) * sum(
        array[0, 0].nbytes for array in read_stories(LM, STORIES[:1]).arrays.values()
    )
    folder = record_to(tmp_path, LM, STORIES, budget=f"{12 * select_story // 1000}KB")
    assert isinstance(folder, TraceFolder)
    assert len(folder) > 2
    together, apart = (top_contexts(traces, n_texts=1) for traces in (trace, folder))
    assert together.table()["text"].tolist() == apart.table()["text"].tolist()
    np.testing.assert_allclose(together.table()["strength"], apart.table()["strength"], atol=1e-6)


def test_missing_hooks_mixed_models_and_too_few_stories_are_refused(trace):
    with pytest.raises(ValueError, match=r"lacks blocks\.\*\.mem\.hook_write_pattern.*lm2 trace CHECKPOINT"):
        top_contexts(read_stories(LM, STORIES[:5], names=["hook_bank"]))
    with pytest.raises(ValueError, match="3 stories are too few .*record at least 4"):
        top_contexts(read_stories(LM, STORIES[:3]))
    with pytest.raises(ValueError, match="no questions in this trace; make it with record_questions"):
        top_contexts(trace, trace)
    with pytest.raises(ValueError, match="different models: handmade and another"):
        top_contexts([trace, replace(trace, info={**trace.info, "model": "another"})])
    question_trace = record_questions(LM, trace)
    with pytest.raises(ValueError, match="different models: handmade and another"):
        top_contexts(trace, replace(question_trace, info={**question_trace.info, "model": "another"}))
    with pytest.raises(ValueError, match="stories that are not in the traces"):
        top_contexts(read_stories(LM, STORIES[:9]), question_trace)
    only_pattern = record_questions(LM, trace, names=["mem.hook_read_pattern"])
    with pytest.raises(ValueError, match=r"lacks blocks\.1\.mem\.hook_gate_out; record questions with"):
        top_contexts(trace, only_pattern)
    with pytest.raises(ValueError, match="the bank has one slot"):
        top_contexts(by_hand([[[0.5]]] * 4, 0.5, ("a",)))


def test_words_of_a_sentence_that_is_not_finite_are_left_out_and_counted(trace):
    broken = trace.arrays[WRITE].copy()
    broken[5, 2] = np.nan
    result = top_contexts(replace(trace, arrays={**trace.arrays, WRITE: broken}))
    assert result.n_nan == len(trace.tokens[5][2]) == 2
    assert "excluded: 2 words and questions that are not finite" in result.summary()
    assert all(
        np.isfinite([one.strength.value, one.in_other_slots.value, one.p]).all() for one in result.strengths
    )
