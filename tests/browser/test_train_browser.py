"""The main path of the Train page in a real browser, with a real run and a server that ends in between."""

import os
import re
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from app.loaders import training
from tests.browser.conftest import wait_until_up
from tests.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs for the servers of this test; what still goes at its end is stopped."""
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    for name in training.run_names():
        training.stop_run(training.find_run(name))


@contextmanager
def server():
    """An app of its own, which ends with the block; runs must outlive it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app/main.py", "--server.headless=true"]
    command += [f"--server.port={port}", "--server.address=127.0.0.1"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=dict(os.environ), **quiet) as process:
        try:
            wait_until_up(f"http://127.0.0.1:{port}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def test_a_run_outlives_its_server_shows_its_curves_and_is_stopped(browser, runs):
    with server() as url:
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        page.goto(f"{url}/train")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("first: running")).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.close()
    run = training.find_run("first")
    assert training.state_of(run) == training.RUNNING
    with server() as url:
        page = browser.new_page(viewport={"width": 1366, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{url}/train")
        expect(page.locator(".st-key-curves .nsewdrag").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"first: running, step [1-9]\d* of 600"))).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("first: stopped")).to_be_visible()
        page.reload()
        expect(page.get_by_text("first: stopped")).to_be_visible()
        assert errors == []
        page.close()
    assert training.state_of(training.find_run("first")) == training.STOPPED
