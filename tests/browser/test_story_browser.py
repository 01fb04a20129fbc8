"""The main path of the story page in a real browser: step, click, ask, reopen by link."""

import re
import time
from urllib.parse import parse_qs, urlparse

import numpy as np
from playwright.sync_api import Page, expect

from app.loaders import stories, traces
from lm2viz.story import select
from tests.browser.charts import click_cell, heatmap_on_screen, wait_for_new_cells, wait_until_drawn

MODEL, EXAMPLE = "babi-qa1-10", "2-two-facts"
N_SLOTS, N_WORDS = 24, 6
N_TIMED = 6  # the first of them warms the server up
REDRAW_S = (
    1.5  # in tests, which may run beside other work; the goal of 0.5 s is measured by benchmarks/pages.py
)


def open_story(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/story?example={EXAMPLE}{query}")
    expect(page.get_by_text("the model answers").first).to_be_visible()
    expect(page.locator(".st-key-writes .nsewdrag, .st-key-history .nsewdrag").first).to_be_visible()


def query_of(page: Page) -> dict[str, list[str]]:
    return parse_qs(urlparse(page.url).query)


def test_the_heatmap_on_screen_is_the_trace(page, app_url):
    open_story(page, app_url, "&step=4&block=1")
    trace = traces.load_trace(MODEL, stories.load_example(EXAMPLE).sentences)
    np.testing.assert_allclose(
        heatmap_on_screen(page, "writes"), select.write_strength(trace, 3, 1), atol=1e-6
    )
    np.testing.assert_allclose(heatmap_on_screen(page, "gates"), select.slot_gates(trace, 3)[0], atol=1e-6)


def test_keys_and_buttons_step_through_the_story_and_the_link_follows(page, app_url):
    open_story(page, app_url, "&step=4")
    page.get_by_role("button", name="Next").click()
    expect(page.get_by_text("After 5 of 11 sentences")).to_be_visible()
    for step in (4, 3):
        wait_until_drawn(page)  # Streamlit merges presses that come while it redraws
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_text(f"After {step} of 11 sentences")).to_be_visible()
    expect(page).to_have_url(re.compile(r"step=3"))


def test_a_click_on_a_cell_opens_its_slot_and_a_click_on_a_sentence_goes_there(page, app_url):
    open_story(page, app_url, "&step=4")
    click_cell(page, "writes", row=2, column=13, shape=(N_WORDS, N_SLOTS))
    expect(page.get_by_text("Words that wrote most to slot 13")).to_be_visible()
    expect(page).to_have_url(re.compile(r"slot=13"))
    assert query_of(page)["view"] == ["One slot"]
    click_cell(page, "history", row=1, column=6, shape=(4, 11))
    expect(page.get_by_text("After 7 of 11 sentences")).to_be_visible()
    expect(page).to_have_url(re.compile(r"step=7"))


def test_a_question_is_asked_and_its_link_reopens_the_view(page, app_url):
    open_story(page, app_url, "&step=7")
    page.get_by_label("Question", exact=True).fill("Where is John?")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"question=Where"))
    page.get_by_role("radio", name="Question").click()
    expect(page.locator(".st-key-reads .nsewdrag").first).to_be_visible()
    link = page.url
    shown = heatmap_on_screen(page, "reads")
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(".st-key-reads .nsewdrag").first).to_be_visible()
    np.testing.assert_array_equal(heatmap_on_screen(page, "reads"), shown)
    expect(page.get_by_label("Question", exact=True)).to_have_value("Where is John?")


def test_a_pasted_story_is_read_and_markup_in_it_is_text(page, app_url):
    page.goto(f"{app_url}/story?source=Own")
    box = page.get_by_label("One sentence per line")
    box.fill("<img src=x onerror=alert(1)> went.")
    page.get_by_role("button", name="Read story").click()
    expect(page.get_by_text("unknown words")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    box.fill("Mary went to the kitchen.\nJohn went to the garden.")
    page.get_by_role("button", name="Read story").click()
    expect(page.get_by_text("After 2 of 2 sentences.").first).to_be_visible()
    assert len(query_of(page)["own"][0]) == 16


def test_the_page_is_light_where_the_browser_is(page, app_url):
    """That every page opens in the dark is tested with its size."""
    page.emulate_media(color_scheme="light")
    open_story(page, app_url)
    expect(page.get_by_role("heading", name="What is in this model's memory?")).to_be_visible()
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    assert sum(int(n) for n in re.findall(r"\d+", background)[:3]) > 3 * 128


def median_seconds(times: list[float], what: str) -> float:
    median = sorted(times)[len(times) // 2]
    print(f"median of {len(times)}, {what}: {median * 1000:.0f} ms")  # noqa: T201
    return median


def test_a_step_redraws_within_the_limit(page, app_url):
    """From the key press to the new cells of the sentence's picture; the last picture may take twice that."""
    open_story(page, app_url, "&step=1")
    first, last = [], []
    for _ in range(N_TIMED):
        page.wait_for_timeout(400)
        old_first, old_last = heatmap_on_screen(page, "writes"), heatmap_on_screen(page, "gates")
        start = time.perf_counter()
        page.keyboard.press("ArrowRight")
        wait_for_new_cells(page, "writes", old_first)
        first.append(time.perf_counter() - start)
        wait_for_new_cells(page, "gates", old_last)
        last.append(time.perf_counter() - start)
    assert median_seconds(first[1:], "a step to the sentence's picture") < REDRAW_S
    assert median_seconds(last[1:], "a step to the last picture") < 2 * REDRAW_S


def test_a_clicked_sentence_is_shown_within_the_limit(page, app_url):
    """From the click on a cell of a slot's history to the sentence's answer on screen."""
    open_story(page, app_url, "&step=11&view=One+slot&slot=2")
    times = []
    for column in (0, 4, 8, 2, 6, 9):
        page.wait_for_timeout(400)
        start = time.perf_counter()
        click_cell(page, "history", row=1, column=column, shape=(4, 11))
        page.get_by_text(f"After {column + 1} of 11 sentences").wait_for()
        times.append(time.perf_counter() - start)
    assert median_seconds(times[1:], "a clicked sentence") < REDRAW_S
