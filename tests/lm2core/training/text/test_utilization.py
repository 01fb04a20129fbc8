"""The share of a chip's peak that is logged where the chip is known, and a model that cannot fit."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from lm2core.errors import UserError
from lm2core.model.work import token_work
from lm2core.training import devices, text, utilization
from lm2core.training.devices import Chip
from tests.lm2core.training.text.runs import SHORT, lines


def test_mfu_is_the_model_s_work_over_the_time_of_its_steps(text_folder, tmp_path, monkeypatch):
    clock = iter(range(1_000))
    ticks = SimpleNamespace(perf_counter=lambda: next(clock))  # a second for each reading
    monkeypatch.setattr(utilization, "time", ticks)
    monkeypatch.setattr(text, "this_chip", lambda: Chip(flops_per_s=1e9, bytes_per_s=1.0))
    recipe = replace(SHORT, text=text_folder, log_every=2)
    model = text.train_text(recipe, tmp_path / "run")
    n_tokens = 2 * recipe.batch_size * recipe.n_segments * model.config.segment_length
    flops = 3 * token_work(model.config, model.config.segment_length).flops * n_tokens
    assert lines(tmp_path / "run", "mfu") == [pytest.approx(flops / 1e9)] * 3


def test_a_model_too_large_for_the_machine_is_refused_before_a_folder_is_made(
    text_folder, tmp_path, monkeypatch
):
    monkeypatch.setattr(devices, "_free_bytes", lambda: (1_000, "this machine"))
    with pytest.raises(UserError, match="test has .* GB are missing; choose a smaller model"):
        text.train_text(replace(SHORT, text=text_folder), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture
def text_folder(request) -> str:
    """The texts, under a name that does not hide the module."""
    return request.getfixturevalue("text")
