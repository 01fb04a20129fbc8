"""The guided tour: its stops drive the stage, and their numbers are those of the payload."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage_page import ENGINE, open_stage, stage_payload

OVERWRITTEN = 5  # the sentence that moves Mary


def open_tour(page: Page, payload: object, options: str) -> None:
    open_stage(page, payload, options, mount="mountTour", module="tour")


def stop(page: Page) -> str:
    return page.locator(".tour-bar [aria-live]").inner_text()


def test_five_stops_show_a_write_an_overwrite_a_read_an_erasure_and_a_block(page: Page) -> None:
    payload = stage_payload()
    open_tour(page, payload, f"{{engine: {ENGINE}}}")
    name = payload["steps"][0]["names"][0]
    assert re.search(
        rf"1 of 5.+kitchen wrote 0\.\d\d to slot 13, now Mary: {name['value']}", stop(page), re.S
    )
    page.get_by_role("button", name="Next stop").click()
    keep = round(100 * payload["steps"][OVERWRITTEN - 1]["keep"][13])
    expect(page.locator(".tour-text")).to_contain_text(f"keeps {keep}\u00a0%")
    expect(page.locator(".tour-text")).to_contain_text("Mary: kitchen becomes Mary: hallway")
    page.get_by_role("button", name="Next stop").click()
    empty, p = payload["questions"][0]["steps"][0]["answers"][0]
    expect(page.locator(".tour-text")).to_contain_text("answers hallway")
    expect(page.locator(".tour-text")).to_contain_text(f"it answers {empty} ({round(100 * p)}\u00a0%)")
    page.get_by_role("button", name="Next stop").click()
    expect(page.locator(".result")).to_contain_text("Slot 13 erased after sentence 5")
    page.get_by_role("button", name="Next stop").click()
    expect(page.locator(".result")).to_contain_text("written to slot 8 instead")
    assert page.evaluate("stage.stage.state.edits.map((edit) => edit.kind)") == ["clamp_gate"]
    expect(page.get_by_role("button", name="Next stop")).to_be_disabled()


def test_going_back_takes_the_edit_back(page: Page) -> None:
    open_tour(page, stage_payload(), f"{{engine: {ENGINE}}}")
    page.evaluate("stage.go(3)")
    expect(page.locator(".result")).to_be_visible()
    page.get_by_role("button", name="Previous stop").click()
    expect(page.locator(".result")).to_be_hidden()
    assert page.evaluate("[stage.at, stage.stage.state.edits.length, stage.stage.state.step]") == [
        2,
        0,
        OVERWRITTEN,
    ]


def test_without_an_engine_the_edits_are_left_out_and_a_line_says_so(page: Page) -> None:
    open_tour(page, stage_payload(), "{}")
    assert page.evaluate("stage.stops.length") == 3
    expect(page.locator(".tour-bar")).to_contain_text("The two stops that edit the memory need the model")


def test_a_story_in_which_nothing_is_overwritten_has_no_such_stop(page: Page) -> None:
    payload = stage_payload()
    payload["sentences"], payload["steps"] = payload["sentences"][:4], payload["steps"][:4]
    for asked in payload["questions"]:
        asked["steps"] = asked["steps"][:5]
    open_tour(page, payload, "{}")
    assert page.evaluate("stage.stops") == ["A sentence is written", "A question reads the memory"]


@pytest.mark.parametrize("payload", [{"schema": 2}, None])
def test_another_schema_has_no_tour(page: Page, payload: object) -> None:
    open_tour(page, payload, "{}")
    expect(page.locator(".tour-bar")).to_be_hidden()
    expect(page.locator(".refusal")).to_be_visible()


def test_full_screen_shows_the_tour_alone(page: Page) -> None:
    open_tour(page, stage_payload(), "{}")
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement?.className === 'tour'")
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.fullscreenElement === null")
