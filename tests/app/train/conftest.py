"""An empty folder of runs, a browser with its cookie, and runs that only sleep."""

import subprocess
import sys

import pytest
from streamlit.runtime.context import ContextProxy

from app.loaders import training
from app.loaders.runs import run_names
from app.visitor_cookie import COOKIE
from tests.app.train.training_runs import KEY, OPERATOR

# Stands in for ``python -m lm2core``: begins a child of its own, as a run may, and waits.
SLEEPER = (
    "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
)


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    """An empty folder of runs."""
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def cookies(monkeypatch):
    """The cookies of the browser that opens pages; its runs are those of ME."""
    sent = {COOKIE: KEY}
    monkeypatch.setattr(ContextProxy, "cookies", sent)
    return sent


@pytest.fixture
def sleeping(monkeypatch):
    """Runs that only sleep, and the commands they were begun with."""
    commands, real = [], subprocess.Popen

    def popen(command, **how):
        commands.append(command)
        return real([sys.executable, "-c", f"{SLEEPER}; time.sleep(60)"], **how)

    monkeypatch.setattr("app.loaders.training.subprocess.Popen", popen)
    yield commands
    for name in run_names():
        training.stop_run(name, OPERATOR)
