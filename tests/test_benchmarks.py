"""The benchmarks: the work they count is the models' own, and the GPU's runs where there is none."""

import subprocess
import sys

import pytest
import torch
import typer
from transformers import LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import untrained
from tests.conftest import ROOT

SIZES = {
    "vocab_size": 48,
    "hidden_size": 24,
    "intermediate_size": 40,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
LENGTH = 16


@pytest.fixture
def measure(monkeypatch):
    """What the benchmarks share; they are scripts and find each other in their folder."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import measure

    return measure


def weights(model: torch.nn.Module, part: str = "") -> int:
    """Numbers in the matrices of linear layers."""
    linear = (m for name, m in model.named_modules() if isinstance(m, torch.nn.Linear) and part in name)
    return sum(m.weight.numel() for m in linear)


def test_the_work_of_a_llama_is_its_matrices_and_its_attention(measure):
    config = LlamaConfig(**SIZES)
    attention = SIZES["num_hidden_layers"] * LENGTH * SIZES["hidden_size"]  # half of 2 T D: causal
    counted = measure.flops_per_token(config, LENGTH)
    assert counted == weights(LlamaForCausalLM(config)) + attention


@pytest.mark.parametrize(
    "memory",
    [
        {"memory_slots": 8},
        {"memory_slots": 8, "memory_layers": [1], "memory_gate_rank": 3},
        {"memory_slots": LENGTH, "segment_length": LENGTH, "routing": "positional", "candidate": "memory"},
    ],
)
def test_the_work_of_a_memory_is_its_matrices_and_its_share_of_the_bank(memory, measure):
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
    llama = measure.flops_per_token(LlamaConfig(**SIZES), LENGTH)
    counted = measure.flops_per_token(config, LENGTH)
    assert counted - llama == pytest.approx(tokens + bank_maps * n / LENGTH + attention)


@pytest.mark.slow
def test_the_gpu_benchmark_runs_on_any_device():
    """Every run of it, small and on the processor: its code has no branch for a GPU but memory."""
    command = [
        sys.executable,
        "benchmarks/gpu.py",
        "--preset",
        "text-tiny",
        "--cpu",
        "--repeats",
        "1",
    ]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for run in ("training step", "generation", "hook_bank captured", r"mem.* captured"):
        assert run in out
    assert "2,051,712 parameters" in out


@pytest.mark.skipif(torch.accelerator.is_available(), reason="there is a GPU here, so it is not refused")
def test_the_gpu_benchmark_says_what_to_do_without_a_gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    app = typer.Typer()
    app.command()(gpu.main)
    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "no GPU found" in done.output


def test_a_trained_model_keeps_facts_and_an_untrained_one_has_none(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import retention

    monkeypatch.setattr(retention, "AFTER", (0, 7))
    lm = load("babilong-qa1-5")
    assert list(retention.retention(lm, 3, seed=1)) == [(0, 1.0), (7, 1.0)]
    assert all(share < 0.5 for _, share in retention.retention(untrained(lm, 0), 3, seed=1))


def test_the_benchmark_of_clicks_takes_known_pages_and_the_95th_percentile(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import pages

    assert pages.chosen("story,slots") == ["story", "slots"]
    assert set(pages.chosen("")) == {path.stem for path in (ROOT / "app/views").glob("*.py")} - {
        "stage",
        "train",
    }
    with pytest.raises(SystemExit, match="no page plots; known: story"):
        pages.chosen("plots")
    assert pages.percentile([*range(20, 0, -1)], 0.95) == 19
    assert pages.percentile([3.0], 0.95) == 3
