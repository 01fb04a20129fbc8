"""What a model and its config refuse, each in one sentence."""

import pytest
import torch

from lm2core.model.config import LM2Config
from tests.conftest import POSITIONAL, SIZES, B, D, N, S, T, V, make_ids, make_model


def test_a_misspelt_argument_is_refused(model):
    with pytest.raises(TypeError, match="attention_masks"):
        model(make_ids(B, T), attention_masks=None)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"memory_heads": 5}, "memory_heads=5 must divide hidden_size=12"),
        ({"memory_slots": 0}, "memory_slots=0 must be a whole number, at least 1"),
        ({"memory_slots": 2.5}, "memory_slots=2.5 must be a whole number"),
        ({"num_attention_heads": 0}, "num_attention_heads=0 must be a whole number, at least 1"),
        ({"num_attention_heads": 6, "num_key_value_heads": 4}, "num_key_value_heads=4 must divide"),
        ({"num_attention_heads": 4}, "head_dim=3 must be even"),
        ({"attention_dropout": 0.5}, "attention_dropout=0.5 is not supported"),
        ({"hidden_act": "nope"}, "hidden_act='nope' is not an activation"),
        ({"memory_top_k": 1.5}, "memory_top_k=1.5 must be between 1 and memory_slots=5"),
        ({"memory_top_k": 6}, "memory_top_k=6 must be between 1 and memory_slots=5"),
        ({"routing": "random"}, "routing='random' must be one of content, positional"),
        ({"memory_gate_rank": 13}, "memory_gate_rank=13 must be between 1 and hidden_size=12"),
        ({"memory_layers": 2}, "memory_layers=2 must be a list of block numbers such as"),
        ({"memory_layers": [0, 1.0]}, r"memory_layers=\[0, 1.0\] must be a list of block numbers"),
        ({"memory_layers": [3]}, "memory_layers=\\[3\\] must name blocks 0..2"),
        ({"routing": "positional"}, "segment_length=6 must equal memory_slots=5"),
        ({"memory_slotz": 3}, "unknown config key memory_slotz; did you mean memory_slots"),
    ],
)
def test_a_config_that_cannot_work_is_refused_in_one_sentence(changes, text):
    with pytest.raises(ValueError, match=text):
        LM2Config(**(SIZES | changes))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"input_ids": torch.zeros(2, 0, dtype=torch.long)}, "at least one token"),
        (
            {"input_ids": make_ids(B, T), "attention_mask": torch.ones(B, 2)},
            "must be a tensor of input_ids' shape",
        ),
        ({"input_ids": make_ids(B, T), "memory": torch.zeros(3, N, D)}, r"memory must be \(2, 5, 12\)"),
        ({"input_ids": make_ids(B, T) + V}, "token ids must be in 0..16"),
        ({"input_ids": [[1, 2], [3]]}, "input_ids must be a tensor, got list; pad texts of different length"),
        ({"input_ids": make_ids(B, T), "memory": [0.0]}, r"memory must be a tensor \(2, 5, 12\) .*got list"),
        ({"input_ids": make_ids(B, T), "labels": make_ids(B, 3)}, r"must have input_ids' .* got \(2, 3\)"),
        ({"input_ids": make_ids(B, T), "labels": make_ids(B, T) + V}, "labels must be in 0..16, or -100"),
        (
            {"input_ids": make_ids(B, T), "labels": make_ids(B, T).float()},
            "whole numbers .*, got torch.float3",
        ),
        ({"input_ids": make_ids(B, T), "labels": [[1]]}, "labels must be a tensor of whole .*, got list"),
        ({"input_ids": make_ids(B, T), "attention_mask": [1]}, "attention_mask must be a tensor .* got list"),
        ({}, "give either input_ids or inputs_embeds"),
        ({"input_ids": make_ids(B, T), "inputs_embeds": torch.zeros(B, T, D)}, "one of the two"),
        ({"inputs_embeds": torch.zeros(B, T)}, r"\(B,T,D\) or \(B,S,T,D\) .* got \(2, 6\)"),
        ({"inputs_embeds": torch.zeros(B, T, 3)}, "must be 12 wide and torch.float32, got 3"),
        ({"input_ids": make_ids(B, T), "position_ids": torch.zeros(B, 2)}, r"text's shape \(2, 6\), got"),
        ({"input_ids": make_ids(B, T), "position_ids": [0, 1]}, "got list"),
        ({"input_ids": make_ids(B, T), "logits_to_keep": -1}, "logits_to_keep=-1 and backprop_segments=0"),
        ({"input_ids": make_ids(B, T), "backprop_segments": -2}, "backprop_segments=-2 must be 0"),
    ],
)
def test_inputs_that_cannot_work_are_refused_with_what_was_got(model, call, text):
    with pytest.raises(ValueError, match=text):
        model(**call)


def test_positional_routing_refuses_a_segment_that_is_not_one_token_a_slot():
    with pytest.raises(ValueError, match="segments of 6 tokens, one per slot, got 4"):
        make_model(**POSITIONAL)(make_ids(B, S, 4))
