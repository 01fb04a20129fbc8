"""Every page fits a laptop, grows with larger text and is accessible; one story."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_drawn, watched_page
from tests.conftest import ROOT

SERIOUS = ("serious", "critical")
NAMES = sorted(path.stem for path in (ROOT / "app" / "views").glob("*.py"))
PAGES = ["" if name == "stage" else name for name in NAMES]  # the first page has no name


def assert_fits(page: Page) -> None:
    assert page.get_by_test_id("stException").count() == 0
    assert page.get_by_test_id("stMain").evaluate("e => e.scrollWidth - e.clientWidth") <= 0


BACKGROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor.match(/\\d+/g).slice(0, 3)"
IS_DARK = f"{BACKGROUND}.reduce((sum, n) => sum + Number(n), 0) < 300"


def assert_accessible(page: Page) -> None:
    """No serious finding of axe-core: contrast, names, roles, order."""
    found = Axe().run(page).response["violations"]
    serious = [(v["id"], [node["html"] for node in v["nodes"]]) for v in found if v["impact"] in SERIOUS]
    assert serious == []


TITLE_PIXELS = "parseFloat(getComputedStyle(document.querySelector('h1')).fontSize)"


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_laptop_grows_with_larger_text_and_is_accessible(context, app_url, name):
    """Larger text is asked for by the link, and then switched off: a page is loaded once.

    Nothing moves: a word in flight fades as it lands, and its contrast is measured at rest.
    """
    with watched_page(context, width=1366, height=768) as page:
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        open_drawn(page, f"{app_url}/{name}?large=true")
        assert_fits(page)
        assert page.evaluate(IS_DARK)
        large = page.evaluate(TITLE_PIXELS)
        page.locator(".st-key-large label").click()
        page.wait_for_function(f"{TITLE_PIXELS} < {large / 1.15}")
        expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
        assert_fits(page)
        assert_accessible(page)
        page.emulate_media(color_scheme="light")
        page.wait_for_function(f"!({IS_DARK})")
        assert_accessible(page)


def test_lm2_rmt_and_llama_answer_along_one_story(page, app_url):
    open_drawn(page, f"{app_url}/compare?compare_view=One+story")
    expect(page.locator(".js-plotly-plot .main-svg").first).to_be_visible()
    for name in ("babi-qa1-10", "babi-qa1-10-rmt", "babi-qa1-10-llama"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
