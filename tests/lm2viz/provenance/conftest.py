"""Stories as the handmade model and one with random weights read them, and a trace made by hand."""

import numpy as np
import pytest
import torch

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.reading.answers import read_stories
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.story_traces import record_questions
from lm2core.traces.trace import Trace
from lm2viz.provenance import STORY_HOOKS
from tests.handmade import TOKENIZER, handmade_lm, handmade_stories

STORIES = [*handmade_stories(11), *handmade_stories(4, n_sentences=5, seed=1)]


def random_lm(**changes: object) -> LoadedModel:
    """A model of the handmade one's words, with sizes that all differ."""
    torch.manual_seed(3)
    sizes = {
        "vocab_size": len(TOKENIZER),
        "hidden_size": 12,
        "intermediate_size": 20,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "memory_heads": 3,
        "memory_slots": 5,
    }
    return LoadedModel("random", LM2ForCausalLM(LM2Config(**(sizes | changes))).eval(), TOKENIZER)


def recorded(lm: LoadedModel, stories=STORIES) -> tuple[Trace, Trace]:
    """Stories and their questions, with all that provenance can use."""
    trace = read_stories(lm, stories, names=STORY_HOOKS)
    return trace, record_questions(lm, trace)


@pytest.fixture(scope="session")
def handmade() -> tuple[Trace, Trace]:
    """The handmade model's stories and questions."""
    return recorded(handmade_lm())


@pytest.fixture(scope="session")
def random() -> tuple[Trace, Trace]:
    """Those of a model with random weights."""
    return recorded(random_lm())


SIDE = ("story", "segment")
BY_HAND = {
    "hook_bank_pre": ("slot", "dim"),
    "hook_candidate": ("token", "dim"),
    "hook_gate_forget": ("slot", "dim"),
    "hook_gate_in_token": ("token", "dim"),
    "hook_write_read_pattern": ("head", "token", "slot"),
    "hook_write_pattern": ("token", "slot"),
    "hook_write_read": ("token", "dim"),
}


@pytest.fixture
def copied() -> Trace:
    """One token a sentence: the first fills slot 0 with what it says, the second copies slot 0 into slot 1.

    Three sentences, two slots, four dimensions; the third adds half as much again to slot 1 as it holds.
    """
    message = np.array([0.5, -0.5, 0.25, 0.0])
    start = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0]])
    banks = np.array([[message, start[1]], [message, message], [message, 1.5 * message]])
    into = np.array([[1.0, 0], [0, 1], [0, 1]])
    keep = np.ones((3, 2, 4))
    keep[0, 0] = keep[1, 1] = 0.0
    arrays = {
        "hook_bank_pre": np.array([start, *banks[:2]]),
        "hook_candidate": np.array([message, message, 0.5 * message])[:, None],
        "hook_gate_forget": keep,
        "hook_gate_in_token": np.ones((3, 1, 4)),
        "hook_write_read_pattern": np.tile([1.0, 0.0], (3, 1, 1, 1)),
        "hook_write_pattern": into[:, None],
        "hook_write_read": np.array([0 * message, np.arctanh(message), 0 * message])[:, None],
    }
    named = {f"blocks.0.mem.{name}": array[None].astype(np.float32) for name, array in arrays.items()}
    axes = {f"blocks.0.mem.{name}": (*SIDE, *names) for name, names in BY_HAND.items()}
    return Trace(
        named | {"hook_bank": banks[None].astype(np.float32)},
        axes | {"hook_bank": (*SIDE, "slot", "dim")},
        [[["fill"], ["copy"], ["add"]]],
    )
