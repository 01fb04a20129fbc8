"""The entry of the app: what the first page needs is made while the server starts."""

import subprocess
import sys

import pytest

from app import main
from app.loaders import models
from lm2core.checkpoints import shipped_models
from tests.conftest import ROOT


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


def test_the_model_that_pages_begin_with_is_open_once_the_server_is_warm(monkeypatch):
    models.load_model.clear()
    main.warm_up()
    monkeypatch.setattr(models, "load_reader", lambda name: pytest.fail(f"{name} is opened anew"))
    assert models.load_model(models.model_names()[0]).name == shipped_models()[0]


def test_warming_up_in_a_thread_without_a_page_looks_for_no_page():
    told = run("from threading import Thread; from app.main import warm_up; Thread(target=warm_up).start()")
    assert "ScriptRunContext" not in told.stderr


def test_the_server_itself_starts_without_torch():
    assert run("import sys; import app.main; print('torch' in sys.modules)").stdout.split()[-1] == "False"
