"""The metrics of the memory are those of the trace of the same step, and what they warn of is in one line."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lm2core.errors import UserError
from lm2core.traces.recording import capture
from lm2core.training import memory_metrics
from lm2core.training.memory_metrics import MemoryMetrics, effective_number
from lm2core.training.memory_warnings import memory_warnings
from lm2core.training.recipe import Recipe
from lm2core.training.stories import train
from lm2core.training.trainer import check_reports
from tests.conftest import make_model

IDS = torch.randint(2, 17, (2, 3, 4), generator=torch.Generator().manual_seed(0))
SHORT = Recipe(n_steps=4, n_stories=4, save_every=4, log_every=1)


@pytest.fixture
def every_second_step(monkeypatch):
    monkeypatch.setattr(memory_metrics, "MEASURE_EVERY", 2)


def test_slots_that_share_equally_all_count_and_a_single_one_counts_as_one():
    assert effective_number([2.0, 2.0, 2.0, 0.0]) == pytest.approx(3)
    assert effective_number([5.0, 0.0]) == 1
    assert effective_number([0.0, 0.0]) == 0
    assert 1 < effective_number([9.0, 1.0]) < 2


def test_the_metrics_are_those_of_the_trace():
    model = make_model()
    trace = capture(model, IDS)
    metrics = MemoryMetrics(model)
    with metrics.measuring(50):
        model(IDS)
    found = metrics.take()
    assert metrics.take() == {}  # once
    gate_in = trace.over_blocks("hook_gate_in")
    strength = gate_in.mean(axis=-1).sum(axis=(0, 1, 2))
    shares = strength / strength.sum()
    assert found["memory_slots_in_use"] == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)
    for gate in ("in", "forget", "out"):
        values = trace.over_blocks(f"hook_gate_{gate}")
        assert found[f"memory_gate_{gate}"] == pytest.approx(values.mean(), rel=1e-4)
        outside = ((values < 0.01) | (values > 0.99)).mean()
        assert found[f"memory_gate_{gate}_saturated"] == pytest.approx(outside, abs=1e-4)
    norms = np.linalg.norm(trace.arrays["hook_bank"], axis=-1)
    assert found["memory_bank_norm"] == pytest.approx(norms.mean(), rel=1e-4)
    before, after = (trace.over_blocks(f"hook_bank_{when}") for when in ("pre", "post"))
    drift = np.linalg.norm(after - before, axis=-1) / np.linalg.norm(before, axis=-1)
    idle = gate_in.mean(axis=-1) <= memory_metrics.WRITTEN
    expected = drift[idle].mean() if idle.any() else math.nan
    assert found["memory_drift_of_unwritten"] == pytest.approx(expected, rel=1e-3, nan_ok=True)


def test_the_gradient_s_share_is_all_when_only_the_memory_is_trained():
    model = make_model()
    metrics = MemoryMetrics(model)
    model(IDS, labels=IDS).loss.backward()
    metrics.measure_gradient()
    assert 0 < metrics.take()["memory_gradient_share"] < 1
    model.zero_grad()
    model.freeze_backbone()
    model(IDS, labels=IDS).loss.backward()
    metrics.measure_gradient()
    assert metrics.take()["memory_gradient_share"] == pytest.approx(1)


def test_slots_are_called_unwritten_after_500_steps_and_not_before(monkeypatch):
    model = make_model()
    n_slots = model.config.memory_slots
    monkeypatch.setattr(memory_metrics, "WRITTEN", 2.0)  # no gate is that open
    metrics = MemoryMetrics(model)
    for step in range(50, 501, 50):
        with metrics.measuring(step):
            model(IDS)
        found = metrics.take()
        assert ("memory_n_never_written" in found) == (step == 500)
    assert f"{n_slots} of {n_slots} slots were never written in 500 steps" in memory_warnings(found)
    monkeypatch.setattr(memory_metrics, "WRITTEN", -1.0)
    with metrics.measuring(550):
        model(IDS)
    assert metrics.take()["memory_n_never_written"] == 0


def test_a_shut_gate_is_warned_of():
    fine = {"memory_n_slots": 24, "memory_gate_in": 0.3, "memory_gate_forget": 0.9, "memory_gate_out": 0.5}
    assert memory_warnings(fine) == []
    assert memory_warnings({"loss": 1.0}) == []
    assert memory_warnings(fine | {"memory_gate_forget": 0.001}) == ["forget gates are shut: nothing is kept"]
    assert memory_warnings(fine | {"memory_gate_in": 0.0}) == ["input gates are shut: nothing is written"]


def test_a_run_logs_the_memory_every_n_steps_and_trains_as_without(tmp_path, monkeypatch, every_second_step):
    train(SHORT, tmp_path / "measured")
    lines = [json.loads(line) for line in (tmp_path / "measured" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "memory_slots_in_use" in line] == [2, 4]
    assert all(0 < line["memory_gradient_share"] < 1 for line in lines if line["step"] in (2, 4))
    monkeypatch.setattr(memory_metrics, "MEASURE_EVERY", 100)
    train(SHORT, tmp_path / "plain")
    plain = [json.loads(line) for line in (tmp_path / "plain" / "metrics.jsonl").read_text().splitlines()]
    assert [line["loss"] for line in lines] == [line["loss"] for line in plain]


def test_a_baseline_has_no_metrics_of_a_memory(tmp_path, every_second_step):
    train(replace(SHORT, n_steps=2, architecture="llama-window"), tmp_path / "run")
    assert "memory_" not in (tmp_path / "run" / "metrics.jsonl").read_text()


def test_a_tool_that_is_not_known_or_not_installed_is_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="unknown --report-to mlflow; choose from: tensorboard, wandb"):
        check_reports(("mlflow",))
    monkeypatch.setattr("lm2core.training.trainer.find_spec", lambda _: None)
    with pytest.raises(UserError, match="--report-to wandb needs the package: pip install wandb"):
        train(replace(SHORT, report_to=("wandb",)), tmp_path / "run")
    assert not (tmp_path / "run").exists()
