"""The stage on the app's first page: it plays by itself, and where it stands is in the link."""

import re

from playwright.sync_api import expect


def test_the_story_plays_from_its_start_and_a_link_does_not(page, app_url):
    page.goto(app_url)
    position = page.locator(".stage .where")
    expect(position).to_have_text("Sentence 2 of 8")  # reached only if redraws leave the stage alone
    page.locator(".stage .play").click()
    expect(page).to_have_url(re.compile("step=[23]"))
    page.goto(f"{app_url}/?example=1-one-fact&step=6")
    expect(position).to_have_text("Sentence 6 of 8")
    expect(page.locator(".stage .play")).to_have_text("Play")


def test_step_and_question_go_along_to_the_other_pages(page, app_url):
    page.goto(f"{app_url}/?example=1-one-fact&step=3")
    stage = page.locator(".stage")
    stage.get_by_role("button", name="Next").click()
    stage.locator("select[aria-label=Question]").select_option("Where is John?")
    expect(page).to_have_url(re.compile(r"step=4&question=Where\+is\+John%3F|question=Where.*step=4"))
    page.get_by_role("link", name="Every number of this step").click()
    expect(page.get_by_text("▶ 4")).to_be_visible()
    expect(page.get_by_role("textbox", name="Question")).to_have_value("Where is John?")


def test_a_slot_is_erased_in_the_app_beside_its_control(page, app_url):
    page.goto(f"{app_url}/?example=1-one-fact&step=6")
    page.locator(".stage button[data-slot='13']").click()
    page.get_by_role("button", name="Erase this slot").click()
    expect(page.locator(".stage .result")).to_contain_text(re.compile("hallway .*→ .*Control.*: hallway"))
