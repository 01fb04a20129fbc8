"""The main path of the interventions in a real browser: build, read, measure, save, open, reopen by link."""

import json
from pathlib import Path

from playwright.sync_api import Page, expect

LINK = "interventions?model=babi-qa1-3&example=2-two-facts&effect_n=25"


def open_interventions(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{LINK}{query}")
    expect(page.locator(".st-key-edited_slots .nsewdrag").first).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_visible()


def choose_slot(page: Page, slot: int) -> None:
    """Type it and take it from the list, again if a redraw of the page closed the list meanwhile."""
    option = page.get_by_role("option", name=str(slot), exact=True)
    for _ in range(8):
        page.get_by_role("combobox", name="Slots").click()
        page.get_by_role("combobox", name="Slots").fill(str(slot))
        page.wait_for_timeout(1_500)
        if option.is_visible():
            option.click()
            return
        page.keyboard.press("Escape")
    raise AssertionError(f"slot {slot} never came up in the list")


def test_an_intervention_is_built_saved_and_reopened_by_its_link(page, app_url):
    open_interventions(page, app_url)
    page.get_by_text("Add an intervention").click()
    choose_slot(page, 7)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Replace the list").click()
    expect(page.get_by_text("1. zero: slots 7, step every one")).to_be_visible()
    page.get_by_text("Save or open").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as JSON").click()
    saved = json.loads(Path(download.value.path()).read_text())
    assert saved == [{"kind": "zero", "slots": [7], "step": None}]
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_text("1. zero: slots 7, step every one")).to_be_visible()


def test_a_file_is_opened_and_a_bad_one_is_refused_in_one_line(page, app_url):
    open_interventions(page, app_url)
    page.get_by_text("Save or open").click()
    box = page.locator("input[type=file]")
    bad = {
        "name": "bad.json",
        "mimeType": "application/json",
        "buffer": b'[{"kind": "<img src=x onerror=alert(1)>"}]',
    }
    box.set_input_files(bad)
    expect(page.get_by_text("no intervention of kind")).to_be_visible()
    assert page.locator("img[src=x]").count() == 0
    good = b'[{"kind": "zero", "slots": [13]}, {"kind": "reset_bank", "step": 3}]'
    box.set_input_files({"name": "good.json", "mimeType": "application/json", "buffer": good})
    expect(page.get_by_text("2. reset_bank: step 3")).to_be_visible()


def test_the_effect_is_measured_and_drawn(page, app_url):
    open_interventions(page, app_url, '&edits=[{"kind":"zero","slots":[13]}]')
    page.get_by_role("button", name="Measure").click()
    expect(page.locator(".st-key-effect .nsewdrag").first).to_be_visible()
    expect(page.get_by_text("Erasing slot 13 lowers the share of right answers").first).to_be_visible()
    page.get_by_text("Every number with its control").click()
    expect(
        page.get_by_text("Effect of zero in babi-qa1-3: 25 stories, 95 % intervals over stories")
    ).to_be_visible()
