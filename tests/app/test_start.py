"""The entry point of the app: the first page comes first, and the rest is imported in the background."""

import gc
import subprocess
import sys
from threading import Event, Thread

import pytest
import torch

from app import warm_up as start
from app.loaders import models
from lm2core.reading.checkpoints import shipped_models
from tests.conftest import ROOT


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)


DRAW_THE_FIRST_PAGE = """
import sys
from streamlit.testing.v1 import AppTest
import app.main

page = AppTest.from_file(sys.path[0] + "/app/menu.py", default_timeout=60).run()
(component,) = page.get("bidi_component")
print("Mary went to the kitchen." in component.proto.json, "embed_tokens" in component.proto.json)
print([name for name in ("torch", "transformers", "pandas", "sklearn") if name in sys.modules])
"""


def test_server_and_first_page_need_neither_torch_nor_transformers_nor_pandas():
    out = run(f"import sys; sys.path[0] = {str(ROOT)!r}\n{DRAW_THE_FIRST_PAGE}").stdout
    assert out.splitlines()[-2:] == ["True True", "[]"]


def test_the_model_that_pages_begin_with_is_open_once_the_server_is_warm(monkeypatch):
    models.load_model.clear()
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)  # other tests keep theirs
    start.import_and_open()
    monkeypatch.setattr(models, "load", lambda name: pytest.fail(f"{name} is opened anew"))
    assert models.load_model(models.model_names()[0]).name == shipped_models()[0]


WARM_UP_IN_A_THREAD = """
import gc
import sys
from threading import Thread
import torch
from app import warm_up

def look():
    warm_up.warm_up()
    print("stage", "app.widgets.stage" in sys.modules)
    print(gc.isenabled(), gc.get_freeze_count() > 100_000, torch.get_num_threads())

warm_up.NOBODY_COMES_S = 0
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


def test_a_warm_server_has_what_the_first_page_needs(warmed):
    assert "stage True" in warmed.stdout.splitlines()


def test_torch_is_imported_once_the_first_page_was_sent(monkeypatch):
    imports = Event()
    monkeypatch.setattr(start, "_first_page_was_sent", Event())
    monkeypatch.setattr(start, "BROWSER_DRAWS_S", 0)
    monkeypatch.setattr(start, "import_first_page", lambda: None)  # may take longer than the wait below
    monkeypatch.setattr(start, "import_and_open", imports.set)
    monkeypatch.setattr(gc, "freeze", lambda: None)  # other tests collect garbage
    thread = Thread(target=start.warm_up)
    thread.start()
    assert not imports.wait(0.1)
    start.first_page_was_sent()
    assert imports.wait(10)
    thread.join()


def test_a_server_that_cannot_open_its_model_still_collects_garbage(monkeypatch):
    monkeypatch.setattr(start, "import_first_page", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        start.warm_up()
    assert gc.isenabled()


def test_warming_up_in_a_thread_without_a_page_looks_for_no_page(warmed):
    assert "ScriptRunContext" not in warmed.stderr
