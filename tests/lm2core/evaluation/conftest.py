"""The harness with the task of these tests alone."""

from functools import partial

import pytest

from tests.conftest import ROOT


@pytest.fixture
def only_own_tasks(monkeypatch, tmp_path):
    """Run where the task files expect it, without reading the 14,000 files of the harness first."""
    datasets = pytest.importorskip("datasets")
    tasks = pytest.importorskip("lm_eval.tasks", reason="pip install -e '.[harness]'")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path)
    monkeypatch.setattr("lm_eval.tasks.TaskManager", partial(tasks.TaskManager, include_defaults=False))
