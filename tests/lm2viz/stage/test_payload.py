"""The payload's numbers are the trace's, the answers' and the probes'."""

import json

import numpy as np
import pytest

from lm2core.errors import UserError
from lm2core.reading.answers import ask, bank_after, read_story
from lm2core.traces.trace import Trace
from lm2viz.causal import ClampGate, Freeze
from lm2viz.probes.reading import decode_facts
from lm2viz.provenance.slots import unroll
from lm2viz.stage.payload import trace_payload
from lm2viz.stage.story_payload import N_ANSWERS, story_payload
from lm2viz.story.select import keep_by_sentence
from tests.edited_traces import edited_trace
from tests.lm2viz.stage.conftest import QUESTIONS, SENTENCES

CLOSE = {"atol": 6e-5, "rtol": 0}  # rounded to four digits


@pytest.fixture(scope="module")
def trace(shipped_lm):
    return read_story(shipped_lm, SENTENCES)


def test_a_word_writes_its_share_times_the_size_of_what_it_adds(payload, trace):
    for s, step in enumerate(payload["steps"]):
        for i, block in enumerate(trace.blocks):
            hook = {
                name: trace.select(f"blocks.{block}.mem.{name}", story=0, segment=s).astype(float)
                for name in ("hook_write_pattern", "hook_gate_in_token", "hook_candidate")
            }
            claims = hook["hook_write_pattern"]
            for token, slot in ((0, 13), (4, 9), (5, 2)):
                share = claims[token, slot] / max(1.0, claims[:, slot].sum())
                added = share * hook["hook_gate_in_token"][token] * hook["hook_candidate"][token]
                size = np.sqrt((added**2).mean())
                np.testing.assert_allclose(step["writes"][i][token][slot], size, **CLOSE)


def test_what_a_word_writes_is_what_an_edit_leaves_of_it(shipped_lm, payload):
    half, shut = (ClampGate(gate="in", value=v, slots=(s,), step=2) for v, s in ((0.5, 13), (0, 9)))
    trace = edited_trace(shipped_lm, SENTENCES, [half, shut, Freeze((5,), from_step=1)])
    first, second, third = (np.array(step["writes"]) for step in trace_payload(trace)["steps"])
    np.testing.assert_allclose(first, payload["steps"][0]["writes"], **CLOSE)
    assert (second[:, :, [9, 5]] == 0).all() and (third[:, :, 5] == 0).all()
    assert second[:, :, 13].max() > 0 and third[:, :, 9].max() > 0
    for i, block in enumerate(trace.blocks):
        claims, gate, candidate, write = (
            trace.select(f"blocks.{block}.mem.{name}", story=0, segment=1).astype(float)
            for name in ("hook_write_pattern", "hook_gate_in_token", "hook_candidate", "hook_write")
        )
        shares = claims[:, 13] / max(1.0, claims[:, 13].sum())
        added = shares[:, None] * gate * candidate * 0.5 / (shares @ gate)
        np.testing.assert_allclose(added.sum(axis=0), write[13], atol=1e-5)
        np.testing.assert_allclose(second[i, :, 13], np.sqrt((added**2).mean(axis=-1)), **CLOSE)


def test_what_is_kept_and_who_wrote_it_are_the_trace_s(payload, trace):
    for s, step in enumerate(payload["steps"]):
        np.testing.assert_allclose(step["keep"], keep_by_sentence(trace, s), **CLOSE)
        written = unroll(trace, 0, s).written
        np.testing.assert_allclose(step["sources"], written, **CLOSE)
        np.testing.assert_allclose(np.sum(step["sources"], axis=0), 1, atol=1e-3)


def test_a_slot_s_change_is_that_of_its_content(payload, trace, shipped_lm):
    banks = [bank_after(trace, n, shipped_lm.model)[0].numpy() for n in range(len(SENTENCES) + 1)]
    for s, step in enumerate(payload["steps"]):
        size = np.minimum(np.sqrt(((banks[s + 1] - banks[s]) ** 2).mean(axis=-1)), 1)
        np.testing.assert_allclose(step["change"], size, **CLOSE)


def test_answers_and_reads_are_those_of_the_bank_at_every_step(payload, trace, shipped_lm):
    for question, text in zip(payload["questions"], QUESTIONS, strict=True):
        for n, step in enumerate(question["steps"]):
            answer = ask(shipped_lm, text, bank_after(trace, n, shipped_lm.model))
            assert [word for word, _ in step["answers"]] == list(answer.words[:N_ANSWERS])
            np.testing.assert_allclose(
                [p for _, p in step["answers"]], answer.probabilities[:N_ANSWERS], **CLOSE
            )
            for i, block in enumerate(trace.blocks):
                pattern = answer.trace.select(f"blocks.{block}.mem.hook_read_pattern", story=0, segment=0)
                gate = answer.trace.select(f"blocks.{block}.mem.hook_gate_out", story=0, segment=0)
                np.testing.assert_allclose(
                    step["reads"][i], pattern[:, -1].mean(axis=0) * gate[-1].mean(), **CLOSE
                )


def test_the_right_answer_is_given_where_the_sentences_tell_it(payload):
    assert [step["right"] for step in payload["questions"][0]["steps"]] == [
        None,
        "kitchen",
        "kitchen",
        "office",
    ]
    assert [step["right"] for step in payload["questions"][1]["steps"]] == [None, None, "garden", "garden"]
    assert [step["right"] for step in payload["questions"][2]["steps"]] == [None] * 4


def test_slots_are_called_what_the_probes_decode_of_facts_that_were_mentioned(payload, trace, few_probes):
    subjects = ["Mary", "John", None]
    for s, step in enumerate(payload["steps"]):
        mentioned = {name for name in subjects[: s + 1] if name}
        assert {name["fact"] for name in step["names"]} == {f"place of {name}" for name in mentioned}
        known = trace.info["stories"][0]["facts"][s]
        table = decode_facts(few_probes, trace.select("hook_bank", story=0, segment=s), known).set_index(
            "fact"
        )
        for name in step["names"]:
            row = table.loc[name["fact"]]
            assert (name["slot"], name["value"], name["true"]) == (row["slot"], row["read"], row["true"])
            np.testing.assert_allclose(name["probability"], row["probability"], atol=2e-3)


def test_the_payload_is_small_and_plain_json(payload):
    text = json.dumps(payload, separators=(",", ":"), allow_nan=False)
    assert json.loads(text) == payload
    assert len(text) < 60_000


def test_a_trace_alone_gives_the_same_picture_without_questions(payload, trace, tmp_path):
    trace.save(tmp_path / "story.safetensors")
    alone = trace_payload(Trace.load(tmp_path / "story.safetensors"))
    assert alone["sentences"] == payload["sentences"] and alone["questions"] == []
    for name in ("writes", "keep", "change", "sources"):
        assert [step[name] for step in alone["steps"]] == [step[name] for step in payload["steps"]]


def test_what_cannot_be_drawn_is_refused_in_one_line(shipped_lm, trace):
    with pytest.raises(UserError, match="unknown words: Bob"):
        story_payload(shipped_lm, ["Bob went to the kitchen."], [])
    with pytest.raises(UserError, match="no story 1 in the trace; it has 0 to 0"):
        trace_payload(trace, story=1)
    with pytest.raises(UserError, match="hook_"):
        trace_payload(read_story(shipped_lm, SENTENCES, names=["hook_bank"]))
