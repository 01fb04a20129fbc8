"""The work that is counted is the models' own."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, lm2_1_7b, lm2_2b_content
from lm2core.model.work import token_work

SIZES = {
    "vocab_size": 48,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LENGTH = 16


def weights(model: torch.nn.Module, part: str = "") -> int:
    """Numbers in the matrices of linear layers."""
    linear = (m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and part in name)
    return sum(m.weight.numel() for m in linear)


def test_the_work_of_a_llama_is_its_matrices_and_its_attention():
    config = LlamaConfig(**SIZES)
    attention = SIZES["num_hidden_layers"] * LENGTH * SIZES["hidden_size"]  # half of 2 T D: causal
    work = token_work(config, LENGTH)
    assert work.total == weights(LlamaForCausalLM(config)) + attention
    assert work.memory == 0
    assert work.head == SIZES["vocab_size"] * SIZES["hidden_size"]


@pytest.mark.parametrize(
    "memory",
    [
        {"memory_slots": 8},
        {"memory_slots": 8, "memory_layers": [1], "memory_gate_rank": 3},
        {"memory_slots": LENGTH, "segment_length": LENGTH, "routing": "positional", "candidate": "memory"},
    ],
)
def test_the_work_of_a_memory_is_its_matrices_and_its_share_of_the_bank(memory):
    """Maps of the bank count once a slot; a second look has a query, keys and values of its own."""
    config = LM2Config(**SIZES, **memory)
    model, d, n = LM2ForCausalLM(config), config.hidden_size, config.memory_slots
    bank_maps = weights(model, "bank_proj")
    tokens = weights(model, ".mem.") - bank_maps
    n_blocks = len(config.memory_blocks)
    if config.routing == "content":
        tokens, bank_maps = tokens + n_blocks * d * d, bank_maps + n_blocks * 2 * d * d
        attention = n_blocks * 7 * n * d  # two looks, routing scores, and R with two factors
    else:
        attention = n_blocks * n * d
    assert token_work(config, LENGTH).memory == pytest.approx(tokens + bank_maps * n / LENGTH + attention)
    assert token_work(config, LENGTH).blocks == token_work(LlamaConfig(**SIZES), LENGTH).blocks


@pytest.mark.parametrize("preset", [lm2_1_7b, lm2_2b_content])
def test_the_work_of_the_large_presets_is_what_torch_counts_of_a_segment(preset):
    """On the meta device. Torch counts causal attention as if it were not, and what is not used."""
    config, is_paper = preset(), preset is lm2_1_7b
    with torch.device("meta"):
        model = LM2ForCausalLM(config).eval()
        ids = torch.empty(1, config.segment_length, dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        model(ids)
    n_tokens, d, n_blocks = config.segment_length, config.hidden_size, config.num_hidden_layers
    halves = n_blocks * d * n_tokens * (1 + is_paper)  # self-attention; in the paper's form also the read
    unused = 0 if is_paper else n_blocks * d * d  # routing keys of reads: a layer is called as a whole
    expected = n_tokens * (token_work(config, n_tokens).flops + 2 * (halves + unused))
    assert counted.get_total_flops() == pytest.approx(expected, rel=1e-6)
