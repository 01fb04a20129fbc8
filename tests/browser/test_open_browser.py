"""The main path of the Open page in a real browser: download a trace, open it again, alone."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from app.loaders import stories, traces
from lm2core.traces.trace import Trace
from lm2viz.story import select
from tests.browser.charts import heatmap_on_screen
from tests.browser.test_story_browser import EXAMPLE, MODEL


def download_trace(page, app_url, folder):
    """Download the trace of the example, as a user does."""
    page.goto(f"{app_url}/open?open=Downloads&example={EXAMPLE}")
    button = page.locator(".st-key-download_data_object button")
    expect(page.get_by_text("Python that makes this picture")).to_be_visible()
    with page.expect_download() as waited:
        button.click()
    path = folder / "trace.safetensors"
    waited.value.save_as(path)
    return path


@pytest.fixture
def trace_file(tmp_path):
    """The same trace, written without a browser."""
    path = tmp_path / "trace.safetensors"
    traces.load_trace(MODEL, stories.load_example(EXAMPLE).sentences).save(path)
    return path


def open_trace(page, app_url, path):
    page.goto(f"{app_url}/open?step=4&block=1")
    page.locator(".st-key-trace_upload input[type=file]").set_input_files(path)
    expect(page.locator(".st-key-writes .nsewdrag").first).to_be_visible()


def test_a_downloaded_trace_opens_again_and_nobody_else_sees_it(page, app_url, tmp_path, context):
    path = download_trace(page, app_url, tmp_path)
    recorded = traces.load_trace(MODEL, stories.load_example(EXAMPLE).sentences)
    assert (Trace.load(path).arrays["hook_bank"] == recorded.arrays["hook_bank"]).all()
    open_trace(page, app_url, path)
    shown = heatmap_on_screen(page, "writes")
    np.testing.assert_allclose(shown, select.write_strength(recorded, 3, 1), atol=1e-6)
    other = context.new_page()
    other.goto(f"{app_url}/open?step=4&block=1")
    expect(other.get_by_text("Open a trace file to step through it")).to_be_visible()
    assert other.locator(".st-key-writes").count() == 0
    other.close()


def test_an_opened_trace_stays_when_its_user_looks_at_another_page(page, app_url, trace_file):
    open_trace(page, app_url, trace_file)
    page.get_by_role("link", name="Story", exact=True).click()
    expect(page.get_by_text("the model answers").first).to_be_visible()
    page.get_by_role("link", name="Open", exact=True).click()
    expect(page.get_by_role("button", name="Close trace.safetensors")).to_be_visible()
    page.get_by_role("button", name="Close trace.safetensors").click()
    expect(page.get_by_text("Open a trace file to step through it")).to_be_visible()


def test_a_file_of_500_mb_is_refused_in_one_line_and_never_sent(page, app_url, tmp_path):
    sent = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "PUT" else None)
    page.goto(f"{app_url}/open")
    expect(page.get_by_text("Open a trace file to step through it")).to_be_visible()
    large = tmp_path / "large.safetensors"
    with large.open("wb") as file:
        file.truncate(500_000_000)  # sparse: takes no room
    page.locator(".st-key-trace_upload input[type=file]").set_input_files(large)
    expect(page.get_by_text("File must be 100.0MB or smaller")).to_be_visible()
    assert sent == []


def test_a_folder_outside_is_refused_and_a_shipped_one_joins_the_models(page, app_url):
    page.goto(f"{app_url}/open?open=Checkpoint+folder")
    box = page.locator(".st-key-folder input")
    box.fill("../../etc")
    page.get_by_role("button", name="Open folder").click()
    expect(page.get_by_text("folders are opened only under")).to_be_visible()
    box.fill("lm2core/pretrained/babi-qa1-3")
    page.get_by_role("button", name="Open folder").click()
    link = page.get_by_role("link", name="on the Story page", exact=False)
    expect(link).to_be_visible()
    link.click()
    expect(page.get_by_text("the model answers").first).to_be_visible()
    expect(page.get_by_role("combobox", name="Model")).to_have_value(re.compile("babi-qa1-3@"))
