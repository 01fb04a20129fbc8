"""Lessons in a real browser: predicted, measured, and seen live in a story."""

from urllib.parse import quote_plus

import pytest
from playwright.sync_api import Page, expect

from lm2viz.lessons import LESSONS
from tests.browser.conftest import open_drawn, watched_page


@pytest.fixture(scope="module")
def lessons_page(context, app_url):
    """The page of lessons, opened by the link of the last; one turns to others in its menu."""
    with watched_page(context, width=1360, height=1200) as page:
        open_drawn(page, f"{app_url}/lessons?lesson={quote_plus(LESSONS[-1].title)}")
        expect(page.get_by_role("heading", name=LESSONS[-1].title)).to_be_visible()
        yield page


@pytest.mark.parametrize("title", [lesson.title for lesson in LESSONS])
def test_a_lesson_is_predicted_and_then_measured(lessons_page, title):
    page = lessons_page
    page.get_by_test_id("stSidebar").get_by_role("radio", name=title, exact=True).check(force=True)
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    expect(page.get_by_text("Choose an answer first")).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(0)
    page.get_by_test_id("stMain").get_by_role("radio").first.check(force=True)
    expect(page.get_by_text("What to remember.")).to_be_visible()
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()


def see_live(page: Page, title: str, position: str) -> None:
    """Answer the lesson that is shown, and follow its link."""
    expect(page.get_by_role("heading", name=title)).to_be_visible()
    page.get_by_test_id("stMain").get_by_role("radio").first.check(force=True)
    page.get_by_role("link", name="See it live").click()
    expect(page.locator(".stage .where")).to_have_text(position)
    expect(page.locator(".stage .card")).to_be_visible()


def test_a_lesson_is_seen_live_and_one_press_of_back_returns_to_it(page, app_url):
    page.goto(f"{app_url}/lessons?lesson=Reading")
    see_live(page, "Reading", "Sentence 2 of 10")
    expect(page.locator(".sentences .now .text")).to_have_text("Daniel went to the kitchen.")
    page.go_back()
    expect(page.get_by_role("heading", name="Reading")).to_be_visible()
    expect(page.get_by_text("1 answered")).to_be_visible()
    page.get_by_role("button", name="Next lesson").click()
    see_live(page, "Writing", "Sentence 1 of 10")
    expect(page.locator(".sentences .now .text")).to_have_text("John moved to the garden.")
