"""The LM2 in JavaScript, in a real browser, beside lm2core: every hook point, bank and answer."""

import pytest

from lm2core import load
from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.reading.answers import ask, memory_after
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer
from lm2core.traces.hooks import hook_names, match_hooks
from lm2core.traces.recording import MEMORY_HOOKS
from lm2viz.stage.weights import model_json
from tests.browser.lm2_js import (
    differences,
    error_of,
    floats,
    open_model,
    open_modules,
    segment_values,
    short_stories,
)
from tests.conftest import make_model

TASKS = {
    "babi-qa1-3": [f"qa{i}" for i in range(1, 4)],
    "babi-qa1-10": [f"qa{i}" for i in range(1, 11)],
    "babilong-qa1-5": [f"qa{i}" for i in range(1, 6)],
}
VALUES, LOGITS = 1e-4, 1e-3  # largest differences from torch
WORDS = "abcdefghijklmn?"  # with the two special tokens, the vocabulary of the small models
SENTENCES = ("a b c d e", "b", "", "n m l k j i h", "e e e a a")


@pytest.fixture
def modules(page):
    open_modules(page)
    return page


def check_equal(found):
    worst = dict(found["worst"])
    assert found["bytes_left"] == 0
    assert worst.pop("logits") < LOGITS
    assert {name: value for name, value in worst.items() if not value < VALUES} == {}
    assert found["answers"] == found["torch_answers"]


@pytest.mark.parametrize("name", TASKS)
def test_hundred_stories_give_the_arrays_banks_and_answers_of_torch(modules, tmp_path, name):
    lm = load(name)
    open_model(modules, lm)
    found = differences(modules, lm, short_stories(TASKS[name], 100), tmp_path / "expected")
    assert len(found["worst"]) > 60
    assert len(found["answers"]) > 120
    check_equal(found)


@pytest.mark.parametrize(
    "changes",
    [
        {"memory_top_k": 2},
        {"memory_gate_rank": 3},
        {"memory_gate_rank": 3, "candidate": "memory"},
        {"candidate": "memory", "memory_layers": [2, 0]},
        {"tie_word_embeddings": True, "memory_slots": 20},
        {"num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 4},
        {"rope_parameters": {"rope_type": "default", "rope_theta": 3.0}, "rms_norm_eps": 0.1},
    ],
    ids=lambda changes: ", ".join(changes),
)
def test_every_option_gives_the_arrays_of_torch(modules, tmp_path, changes):
    lm = LoadedModel("small", make_model(**changes), word_tokenizer(WORDS))
    open_model(modules, lm)
    story = TextStory(SENTENCES, (Question("a b ?", "c", (), len(SENTENCES)),))
    check_equal(differences(modules, lm, [story], tmp_path / "expected"))


def test_a_question_reads_as_in_torch_and_leaves_the_bank_alone(modules):
    lm = load("babi-qa1-3")
    open_model(modules, lm)
    (story,) = short_stories(["qa1"], 1)
    modules.evaluate(
        """sentences => {
            window.bank = model.readStory(sentences, [], {record: "none"}).segments.at(-1).bank;
            window.before = bank.slice();
            window.answer = model.ask(bank, model.tokenize("Where is Mary?").ids);
        }""",
        story.sentences,
    )
    trace = ask(lm, "Where is Mary?", memory_after(lm, story.sentences)).trace
    expected = {name: x for name, x in segment_values(trace, 0, 0).items() if ".mem." in name}
    assert set(expected) == set(modules.evaluate("Object.keys(answer.hooks)"))
    for name, values in expected.items():
        assert abs(floats(modules, "name => answer.hooks[name]", name) - values.ravel()).max() < VALUES
    assert floats(modules, "() => bank").tolist() == floats(modules, "() => before").tolist()


def test_only_the_hook_points_asked_for_are_kept(modules):
    lm = load("babi-qa1-3")
    open_model(modules, lm)
    kept = {
        record: set(
            modules.evaluate(
                """record => Object.keys(
                    model.readSentence(model.newBank(), model.tokenize("Mary left.").ids, {record}).hooks)""",
                record,
            )
        )
        for record in ("none", "memory", "all")
    }
    assert kept["none"] == set()
    assert kept["memory"] == set(match_hooks(MEMORY_HOOKS, lm.model.config))
    assert kept["all"] == set(hook_names(lm.model.config))


def test_a_model_that_does_not_fit_is_refused_in_one_line(modules):
    json = model_json(LoadedModel("small", make_model(), word_tokenizer(WORDS)))
    norm, missing = "model.norm.weight", dict(json["tensors"])
    del missing[norm]
    wide = {"shape": [13], "data": json["tensors"][norm]["data"]}
    short = {"shape": [12], "data": json["tensors"][norm]["data"][:32]}
    for changes, text in (
        ({"schema": 2}, "this model has schema 2, the page reads 1; export the page again"),
        ({"tensors": missing}, "tensor model.norm.weight is missing"),
        (
            {"tensors": missing | {norm: wide}},
            "tensor model.norm.weight has shape (13), but the config needs (12)",
        ),
        ({"tensors": missing | {norm: short}}, "tensor model.norm.weight has 24 bytes, not 48"),
        (
            {"tensors": json["tensors"] | {"other": wide}},
            "tensor other does not belong to a model of this config",
        ),
        (
            {"config": json["config"] | {"memory_slots": 6}},
            "mem.slot_key has shape (5,12), but the config needs (6,12)",
        ),
        ({"tokenizer": json["tokenizer"] | {"kind": "BPE"}}, "unknown tokenizer: BPE, split by words"),
    ):
        assert text in error_of(modules, "json => lm2.openModel(json)", json | changes)


def test_a_bank_of_another_size_and_an_empty_question_are_refused(modules):
    open_model(modules, LoadedModel("small", make_model(), word_tokenizer(WORDS)))
    text = error_of(modules, "() => model.ask(new Float32Array(7), [2])")
    assert text == "a bank of 7 values; this model has 5 slots of 12"
    assert "the question is empty" in error_of(modules, "() => model.ask(model.newBank(), [])")
    assert 'record "most"; known: none, memory, all' in error_of(
        modules, "() => model.readSentence(model.newBank(), [2], {record: 'most'})"
    )
