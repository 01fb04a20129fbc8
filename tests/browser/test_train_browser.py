"""The main path of the Train page in a real browser, with a real run and a server that ends in between."""

import json
import re
from dataclasses import asdict

import pytest
from playwright.sync_api import expect

from app.loaders import training
from benchmarks.app_server import served
from lm2core.cli.main import main
from tests.browser.conftest import watched_page

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs for the servers of this test; what still goes at its end is stopped."""
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    for name in training.run_names():
        training.stop_run(training.find_run(name))


def test_a_run_outlives_its_server_shows_its_curves_and_is_stopped(context, runs):
    with served() as url:
        page = context.new_page()
        page.goto(f"{url}/train")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("first: running")).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.close()
    run = training.find_run("first")
    assert training.state_of(run) == training.RUNNING
    with served() as url, watched_page(context, width=1366, height=900) as page:
        page.goto(f"{url}/train")
        expect(page.locator(".st-key-curves .nsewdrag").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"first: running, step [1-9]\d* of 600"))).to_be_visible()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("first: stopped")).to_be_visible()
        page.reload()
        expect(page.get_by_text("first: stopped")).to_be_visible()
    assert training.state_of(training.find_run("first")) == training.STOPPED


def test_a_stopped_run_is_resumed_to_its_end_and_its_model_answers_on_the_page_story(context, runs):
    half = ["train", "--preset=babi-tiny", "--tasks=qa1", "--steps=2", f"--out={runs / 'first'}"]
    assert main(half) == 0
    (runs / "first" / "model.safetensors").unlink()  # a run that was stopped has its checkpoints alone
    record = training.Run("first", ("qa1",), n_steps=4, seed=0, was_stopped=True)
    (runs / "first.json").write_text(json.dumps(asdict(record)))
    with served() as url, watched_page(context, width=1370, height=910) as page:
        page.goto(f"{url}/train")
        expect(page.get_by_text("first: stopped, step 2 of 4")).to_be_visible()
        expect(page.get_by_text("The server has just started")).to_have_count(0)
        page.get_by_role("button", name="Resume").click()
        expect(page.get_by_text("first: finished, step 4 of 4")).to_be_visible()
        page.get_by_role("button", name="Use this model on the other pages").click()
        page.get_by_role("link", name=re.compile("run:first.* on the Story page")).click()
        expect(page.get_by_text(re.compile(r"After \d+ of \d+ sentences")).first).to_be_visible()
        expect(page).to_have_url(re.compile("model=run%3Afirst"))
