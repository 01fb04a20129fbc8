"""The main path of the Train page in a real browser, with a real run and a server that ends in between."""

import json
import re
from dataclasses import asdict

import pytest
from playwright.sync_api import expect

from app.loaders import training
from app.loaders.runs import RUNNING, STOPPED, Run, bytes_used, find_run, run_names, state_of
from app.visitor_cookie import COOKIE
from benchmarks.app_server import served
from lm2core.cli.main import main
from tests.app.train.training_runs import KEY, ME, OPERATOR
from tests.browser.conftest import watched_page

pytestmark = pytest.mark.slow


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """A folder of runs for the servers of this test; what still goes at its end is stopped."""
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "runs"))
    yield tmp_path / "runs"
    for name in run_names():
        training.stop_run(name, OPERATOR)


def test_a_run_outlives_its_server_and_is_stopped_and_deleted_by_its_browser_alone(browser, context, runs):
    with served() as url:
        page = context.new_page()
        page.goto(f"{url}/train")
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_text("first: running")).to_be_visible()
        expect(page.get_by_role("button", name="Stop")).to_be_visible()
        page.close()
    assert state_of(find_run("first")) == RUNNING
    with served() as url, watched_page(context, width=1366, height=900) as page:
        page.goto(f"{url}/train")
        expect(page.locator(".st-key-curves .nsewdrag").first).to_be_visible()
        expect(page.get_by_text(re.compile(r"first: running, step [1-9]\d* of 600"))).to_be_visible()
        with browser.new_context() as other, watched_page(other, width=1366, height=900) as seen:
            seen.goto(f"{url}/train?run=first")
            expect(seen.get_by_text("Another visitor started this run")).to_be_visible()
            expect(seen.get_by_role("button", name="Stop")).to_have_count(0)
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_text("first: stopped")).to_be_visible()
        page.reload()
        expect(page.get_by_text("first: stopped")).to_be_visible()
        assert state_of(find_run("first")) == STOPPED
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("button", name="Delete first for good").click()
        expect(page.get_by_text("No run yet")).to_be_visible()
    assert list(runs.iterdir()) == []


def test_a_stopped_run_is_resumed_to_its_end_and_its_model_answers_on_the_page_story(context, runs):
    half = ["train", "--preset=babi-tiny", "--tasks=qa1", "--steps=2", f"--out={runs / 'first'}"]
    assert main(half) == 0
    (runs / "first" / "model.safetensors").unlink()  # a run that was stopped has its checkpoints alone
    record = Run("first", ("qa1",), n_steps=4, seed=0, was_stopped=True, owner=ME.owner)
    (runs / "first.json").write_text(json.dumps(asdict(record)))
    context.add_cookies([{"name": COOKIE, "value": KEY, "url": "http://127.0.0.1"}])
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
    assert bytes_used(besides="none") < training.RUN_BYTES
