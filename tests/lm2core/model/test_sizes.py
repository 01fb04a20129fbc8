"""Sizes of models that are too large to make here, counted on the meta device."""

import pytest
import torch

from lm2core.model.config import base, llama_fields, lm2_1_7b, lm2_2b_content
from lm2core.model.sizes import model_size
from lm2core.reference.causal_lm import SHARED_WITH_LM2, ReferenceConfig, ReferenceForCausalLM
from tests.conftest import SIZES, make_model


def test_the_paper_s_model_is_llama_3_2_1b_and_half_a_billion_of_memory():
    """Its equations: six maps a block, a key per slot, three norms and two biases."""
    size, d, n = model_size(lm2_1_7b()), 2048, 2048
    assert round(size.n_backbone / 1e9, 1) == 1.2
    assert round(size.n_memory / 1e9, 1) == 0.5
    assert round(size.n_parameters / 1e9, 1) == 1.7
    assert size.n_memory == 16 * (6 * d * d + n * d + 3 * d + 2 * d)
    assert size.n_bank == n * d


def test_the_paper_s_model_has_its_equations():
    config = lm2_1_7b()
    assert (config.routing, config.candidate) == ("positional", "memory")
    assert config.segment_length == config.memory_slots == 2048
    assert len(config.memory_blocks) == 16


def test_our_memory_on_the_same_backbone_has_four_more_maps_a_block():
    paper, ours, d = model_size(lm2_1_7b()), model_size(lm2_2b_content()), 2048
    assert ours.n_backbone == paper.n_backbone
    assert ours.n_memory - paper.n_memory == 16 * 4 * d * d
    assert round(ours.n_parameters / 1e9) == 2


def test_the_public_code_s_form_of_the_paper_s_size_is_its_1_7_billion():
    llama = llama_fields(lm2_1_7b())
    shared = {name: llama[name] for name in SHARED_WITH_LM2 if name in llama}
    config = ReferenceConfig(
        **(shared | {"memory_slots": 2048, "memory_heads": 32, "tie_word_embeddings": True})
    )
    with torch.device("meta"):
        n = sum(p.numel() for p in ReferenceForCausalLM(config).parameters())
    assert 1.7e9 < n < 1.8e9


@pytest.mark.parametrize("changes", [{}, {"memory_gate_rank": 2}, {"tie_word_embeddings": True}])
def test_a_count_is_that_of_the_model_itself(changes):
    model = make_model(**changes)
    assert model_size(model.config).n_parameters == sum(p.numel() for p in model.parameters())


def test_thin_gates_have_fewer_parameters_and_memory_blocks_can_be_fewer():
    full = model_size(make_model().config).n_memory
    thin = model_size(make_model(memory_gate_rank=2).config).n_memory
    one = model_size(make_model(memory_layers=[1]).config).n_memory
    assert thin < full
    assert one * SIZES["num_hidden_layers"] == full


def test_the_base_preset_fits_one_small_gpu():
    assert model_size(base()).train_bytes < 4e9  # of 8: the rest is for activations
