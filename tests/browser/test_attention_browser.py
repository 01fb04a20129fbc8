"""The attention page in a real browser: its cells are the trace's, and choices reopen from the link."""

import re

import numpy as np
from playwright.sync_api import Page, expect

from app.loaders import stories, traces
from lm2viz.story.read_shift import read_pair
from tests.browser.charts import heatmap_on_screen, wait_for_new_cells

MODEL, EXAMPLE, STEP, ASKED = "babi-qa1-10", "2-two-facts", 4, "Where is the milk?"
DIFFERENCE = 2  # its place below the two reads


def open_attention(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/attention?example={EXAMPLE}&step={STEP}&question=Where+is+the+milk%3F{query}")
    expect(page.locator(".st-key-distances .nsewdrag").first).to_be_visible()
    expect(page.locator(".st-key-self_attention .nsewdrag").first).to_be_visible()


def test_the_difference_on_screen_is_that_of_the_two_reads(page, app_url):
    open_attention(page, app_url, "&block=1&head=2")
    sentences = stories.load_example(EXAMPLE).sentences
    before, after = (traces.load_answer(MODEL, sentences, s, ASKED).trace for s in (STEP - 1, STEP))
    np.testing.assert_allclose(
        heatmap_on_screen(page, "reads", DIFFERENCE), read_pair(before, after, 1, 2).difference, atol=1e-6
    )


def test_another_bank_and_head_are_chosen_and_the_link_reopens_them(page, app_url):
    open_attention(page, app_url)
    old = heatmap_on_screen(page, "reads")
    page.get_by_role("radio", name="A fresh bank").click()
    wait_for_new_cells(page, "reads", old)
    expect(page.get_by_text("After 0 sentences the model answers")).to_be_visible()
    old = heatmap_on_screen(page, "reads", DIFFERENCE)
    page.locator(".st-key-head").get_by_role("radio", name="3").click()
    wait_for_new_cells(page, "reads", old, DIFFERENCE)
    expect(page).to_have_url(re.compile(r"compared_bank=A\+fresh\+bank.*head=3"))
    shown, link = heatmap_on_screen(page, "reads", DIFFERENCE), page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(".st-key-reads .nsewdrag").first).to_be_visible()
    np.testing.assert_array_equal(heatmap_on_screen(page, "reads", DIFFERENCE), shown)
