"""TransformerLens' bridge around an LM2: the same numbers, the same hook points, and no dead ones."""

import tomllib
from copy import deepcopy
from importlib import import_module

import pytest
import torch
from transformer_lens.factories.architecture_adapter_factory import ArchitectureAdapterFactory
from transformer_lens.model_bridge.sources import build_bridge_from_module

from lm2core.model.bridge import LM2Adapter
from tests.conftest import POSITIONAL, ROOT, B, S, T, make_ids, make_model

NAME = "LM2ForCausalLM"
EVERY_LAYOUT = pytest.mark.parametrize(
    "changes", [{}, {"memory_layers": [1]}, POSITIONAL], ids=["content", "one memory", "positional"]
)


@pytest.fixture(autouse=True)
def adapter_is_known(monkeypatch):
    """As the entry point does, whether or not this installation has it yet."""
    monkeypatch.setattr(ArchitectureAdapterFactory, "_entry_points_discovered", True)
    monkeypatch.setitem(ArchitectureAdapterFactory._adapters, NAME, LM2Adapter)


def make_bridge(model):
    model = deepcopy(model)  # a bridge changes it
    return build_bridge_from_module(model, NAME, hf_config=model.config)


@EVERY_LAYOUT
def test_a_bridge_computes_what_the_model_does(changes):
    model, ids = make_model(**changes), make_ids(B, S, T)
    alone, bridged = model(ids), make_bridge(model).original_model(ids)
    assert torch.equal(bridged.logits, alone.logits)
    assert torch.equal(bridged.memory, alone.memory)


@EVERY_LAYOUT
def test_it_has_the_models_hook_points_and_all_of_its_own_are_met(changes):
    model = make_model(**changes)
    bridge = make_bridge(model)
    _, cache = bridge.run_with_cache(make_ids(B, T))
    assert set(model.hook_dict) - {"hook_bank"} <= set(bridge.hook_dict)
    assert set(cache.keys()) == set(bridge.hook_dict)


def test_a_cache_has_the_models_values_and_takes_a_bank():
    model, ids = make_model(), make_ids(B, T)
    bank = model(make_ids(B, T)).memory
    _, expected = model.run_with_cache(ids, memory=bank)
    logits, cache = make_bridge(model).run_with_cache(ids, memory=bank)
    assert torch.equal(logits, model(ids, memory=bank).logits)
    for name in set(expected) - {"hook_bank"}:
        torch.testing.assert_close(cache[name], expected[name])


def test_an_edit_at_a_hook_point_of_the_memory_changes_what_it_changes_in_the_model():
    model, ids = make_model(), make_ids(B, T)

    def close(gate, *, hook):
        return torch.zeros_like(gate)

    edit = [("blocks.1.mem.hook_gate_out", close)]
    expected = model.run_with_hooks(ids, fwd_hooks=edit).logits
    found = make_bridge(model).run_with_hooks(ids, fwd_hooks=edit)
    assert torch.equal(found, expected)
    assert not torch.equal(found, model(ids).logits)


def test_the_project_registers_the_adapter_under_the_models_name():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    module, _, name = project["entry-points"]["transformer_lens.architectures"][NAME].partition(":")
    assert getattr(import_module(module), name) is LM2Adapter
