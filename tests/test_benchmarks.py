"""The benchmarks: the GPU's runs where there is none."""

import subprocess
import sys

import pytest
import torch
import typer
from typer.testing import CliRunner

from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import untrained
from tests.conftest import ROOT


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
