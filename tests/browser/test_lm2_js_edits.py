"""Edits of the LM2 in JavaScript beside the interventions of lm2viz.causal."""

import json

import numpy as np
import pytest

from lm2core import load
from lm2viz.causal import BlockRead, ClampGate, Freeze, Swap, Zero
from lm2viz.causal.gate_edit import GateEdit, read_with_gate_edit
from lm2viz.causal.interventions_json import to_json
from lm2viz.causal.running import run
from tests.browser.lm2_js import error_of, floats, open_model, open_modules, segment_values, short_stories

MODEL = "babi-qa1-10"
STEP = 3
EDITS = {
    "zeros once": [Zero((13, 2), step=STEP)],
    "zeros always": [Zero((13,))],
    "a closed input gate": [ClampGate(gate="in", value=0, step=STEP)],
    "an open input gate of a slot and block": [ClampGate(gate="in", value=1, block=3, slots=(13,))],
    "a forget gate": [ClampGate(gate="forget", value=0.25, block=1, slots=(0, 13), step=STEP)],
    "frozen from the start": [Freeze((13,), from_step=0)],
    "frozen later": [Freeze((13, 5), from_step=STEP)],
    "rows of another story": [Swap((13, 5), step=STEP, other=0)],
    "hidden from questions": [BlockRead((13, 2))],
    "hidden from questions in one block": [BlockRead((13,), block=2)],
    "several in order": [
        ClampGate(gate="in", value=1, slots=(13,)),
        Freeze((13,), from_step=STEP),
        Zero((13, 4), step=STEP),
        Swap((4, 5), step=STEP, other=0),
    ],
}


@pytest.fixture(scope="module")
def lm():
    return load(MODEL)


@pytest.fixture
def opened(page, lm):
    open_modules(page)
    open_model(page, lm)
    return page


def as_javascript(edits, other_bank):
    """The edits as Python writes them; where contents come from another story, with its bank."""
    entries = json.loads(to_json(edits))
    return [entry | ({"bank": other_bank} if entry["kind"] == "swap" else {}) for entry in entries]


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_gives_the_banks_and_logits_of_the_intervention(opened, lm, name):
    other, *stories = (short_stories([task], 1, seed=5)[0] for task in ("qa1", "qa2", "qa6", "qa9"))
    other_banks = run(lm, [other]).banks
    for story in stories:
        expected = run(lm, [story], EDITS[name], reference=other_banks)
        clean = run(lm, [story])
        of_banks = not np.allclose(expected.banks, clean.banks, atol=0.01)
        assert of_banks or not np.allclose(expected.logits, clean.logits, atol=0.01)
        argument = {
            "sentences": story.sentences,
            "edits": as_javascript(EDITS[name], other_banks[0, STEP - 1].ravel().tolist()),
            "questions": [[q.text, q.n_statements] for q in story.questions],
        }
        banks = floats(
            opened,
            """({sentences, edits}) => model.readStory(sentences, edits).segments.flatMap(
                ({bank, hooks}) => bank === hooks.hook_bank ? Array.from(bank) : [])""",
            argument,
        )
        np.testing.assert_allclose(banks, expected.banks[0].ravel(), atol=1e-4)
        logits = floats(
            opened,
            """({sentences, edits, questions}) => {
                const {segments} = model.readStory(sentences, edits, {record: "none"});
                return questions.flatMap(([text, step]) =>
                    Array.from(model.ask(segments[step - 1].bank, model.tokenize(text).ids, {edits}).logits));
            }""",
            argument,
        )
        np.testing.assert_allclose(logits, expected.logits.ravel(), atol=1e-3)


def test_a_sentence_alone_is_edited_by_its_number_and_records_the_edited_values(opened, lm):
    (story,) = short_stories(["qa1"], 1)
    edit = GateEdit(step=2, slot=13, block=3, gate_in=0.5, keep=0.0)
    bank = run(lm, [story]).banks[0, 0]
    trace = read_with_gate_edit(lm, story.sentences[1:2], bank[None], edit).trace
    clamp = {"kind": "clamp_gate", "block": 3, "slots": [13], "step": 2}
    argument = {
        "bank": bank.ravel().tolist(),
        "sentence": story.sentences[1],
        "edits": [clamp | {"gate": "in", "value": 0.5}, clamp | {"gate": "forget", "value": 0}],
    }
    read = """({bank, sentence, edits, step}) =>
        model.readSentence(Float32Array.from(bank), model.tokenize(sentence).ids, {edits, step})"""
    for name, expected in segment_values(trace, 0, 0).items():
        found = floats(opened, f"it => ({read})(it).hooks['{name}']", argument | {"step": 2})
        np.testing.assert_allclose(found, expected.ravel(), atol=1e-4, err_msg=name)
    unedited = floats(opened, f"it => ({read})(it).bank", argument | {"step": 1})
    np.testing.assert_allclose(unedited, run(lm, [story]).banks[0, 1].ravel(), atol=1e-4)


def test_edits_leave_the_banks_that_were_returned_before(opened):
    same = opened.evaluate(
        """() => {
            const ids = model.tokenize("Mary went to the office.").ids;
            const {bank} = model.readSentence(model.newBank(), ids);
            const before = bank.slice();
            const edits = [{kind: "zero", slots: [13]}];
            const {hooks} = model.readSentence(bank, ids, {edits});
            const isErased = (name) => hooks[name].subarray(13 * 64, 14 * 64).every((value) => value === 0);
            return [bank.every((value, i) => value === before[i]), isErased("hook_bank"),
                isErased("blocks.3.mem.hook_bank_post")];
        }"""
    )
    assert same == [True, True, False]


@pytest.mark.parametrize(
    ("edit", "text"),
    [
        ({"kind": "erase"}, 'no edit of kind "erase"; known: zero, swap, freeze, clamp_gate'),
        ({"kind": "constructor"}, 'no edit of kind "constructor"'),
        ({"kind": "zero", "slots": [24]}, "zero: slots [24]; give a list of numbers 0..23"),
        ({"kind": "zero"}, "zero: slots null"),
        ({"kind": "zero", "slots": []}, "zero: slots []"),
        (
            {"kind": "zero", "slots": [1], "step": 0},
            "zero: step 0; give a sentence from 1 to the story's last",
        ),
        ({"kind": "zero", "slots": [1], "step": 3}, "zero: step 3; give a sentence"),
        ({"kind": "freeze", "slots": [1]}, "freeze: step null; give a sentence from 0"),
        ({"kind": "swap", "slots": [1], "bank": [1]}, "swap: a bank of 1 values; give 24 x 64"),
        ({"kind": "swap", "slots": [1]}, "swap: a bank of undefined values"),
        ({"kind": "clamp_gate", "gate": "out", "value": 1}, 'clamp_gate: no gate "out"; known: in, forget'),
        ({"kind": "clamp_gate", "gate": "in", "value": 1.5}, "clamp_gate: value 1.5; give 0 to 1"),
        ({"kind": "clamp_gate", "gate": "in"}, "clamp_gate: value undefined"),
        (
            {"kind": "clamp_gate", "gate": "in", "value": 1, "block": 4},
            "clamp_gate: no memory in block 4; it is in 0, 1, 2, 3",
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_an_edit_that_does_not_fit_is_refused_in_one_line(opened, edit, text):
    message = error_of(
        opened, "edit => model.readStory(['Mary left.', 'Mary went to the office.'], [edit])", edit
    )
    assert text in message
    assert "\n" not in message
