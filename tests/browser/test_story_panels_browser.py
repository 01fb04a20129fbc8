"""Sources, facts and playing on the story page in a real browser."""

import re

from playwright.sync_api import Page, expect

EXAMPLE = "2-two-facts"


def open_view(page: Page, url: str, query: str) -> None:
    page.goto(f"{url}/story?{query}")
    expect(page.get_by_text("the model answers").first).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def test_a_click_in_an_empty_part_of_a_row_goes_to_its_sentence(page, app_url):
    open_view(page, app_url, f"example={EXAMPLE}&step=8&view=Sources")
    rows = page.locator(".st-key-sources .nsewdrag").first
    expect(rows).to_be_visible()
    rows.scroll_into_view_if_needed()
    box = rows.bounding_box()
    x, y = box["x"] + 0.9 * box["width"], box["y"] + box["height"] * 2.5 / 9  # third of eight and the bank
    page.mouse.move(x - 3, y - 2)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(page.get_by_text("After 3 of 11 sentences")).to_be_visible()
    expect(page).to_have_url(re.compile(r"step=3"))
    expect(page).to_have_url(re.compile(r"view=Sources"))


def test_playing_reads_on_by_itself_until_the_end(page, app_url):
    open_view(page, app_url, f"example={EXAMPLE}&step=9")
    page.get_by_role("button", name="Play").click()
    for step in (10, 11):
        expect(page.get_by_text(f"After {step} of 11 sentences")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_the_key_pauses_and_the_story_stands_still(page, app_url):
    open_view(page, app_url, f"example={EXAMPLE}&step=2")
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_text("After 3 of 11 sentences")).to_be_visible()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    position = page.get_by_text(re.compile(r"After \d+ of 11 sentences")).inner_text()
    page.wait_for_timeout(3_000)
    assert page.get_by_text(re.compile(r"After \d+ of 11 sentences")).inner_text() == position
    assert "play" not in page.url
