"""The entry point of the app: what the first page needs is loaded while the server starts."""

import gc
import subprocess
import sys

import pytest
import torch

from app import main
from app.loaders import models
from lm2core.reading.checkpoints import shipped_models
from tests.conftest import ROOT


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


def test_the_model_that_pages_begin_with_is_open_once_the_server_is_warm(monkeypatch):
    models.load_model.clear()
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)  # other tests keep theirs
    main.import_and_open()
    monkeypatch.setattr(models, "load", lambda name: pytest.fail(f"{name} is opened anew"))
    assert models.load_model(models.model_names()[0]).name == shipped_models()[0]


WARM_UP_IN_A_THREAD = """
import gc
import sys
from threading import Thread
import torch
from app.main import warm_up

def look():
    warm_up()
    print("stage", "app.widgets.stage" in sys.modules, "sklearn.linear_model" in sys.modules)
    print(gc.isenabled(), gc.get_freeze_count() > 100_000, torch.get_num_threads())

thread = Thread(target=look)
thread.start()
thread.join()
"""


@pytest.fixture(scope="module")
def warmed():
    """Output of a process that warmed up in a thread, as a server does."""
    return run(WARM_UP_IN_A_THREAD)


def test_a_warm_server_collects_nothing_that_it_imported_and_has_one_thread(warmed):
    assert warmed.stdout.split()[-3:] == ["True", "True", "1"]


def test_a_warm_server_has_what_the_first_page_needs_and_no_scikit_learn(warmed):
    line = next(line for line in warmed.stdout.splitlines() if line.startswith("stage"))
    assert line == "stage True False"


def test_a_server_that_cannot_open_its_model_still_collects_garbage(monkeypatch):
    monkeypatch.setattr(main, "import_and_open", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        main.warm_up()
    assert gc.isenabled()


def test_warming_up_in_a_thread_without_a_page_looks_for_no_page(warmed):
    assert "ScriptRunContext" not in warmed.stderr


@pytest.mark.parametrize("module", ["app.main", "app.widgets.text_size", "app.state"])
def test_the_server_and_its_menu_start_without_torch(module):
    assert run(f"import sys; import {module}; print('torch' in sys.modules)").stdout.split()[-1] == "False"
