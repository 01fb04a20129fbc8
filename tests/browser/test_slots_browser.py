"""The page of slots in a real browser: a click on a point opens its story, here and on the page Story."""

import re

from playwright.sync_api import Page, expect

from app.loaders.stories import generate_story
from tests.browser.charts import chart_value, wait_until_drawn

LINK = "slots?model=babi-qa1-3&task=qa1&n_stories=50"
HOVER_MS = 300  # plotly looks at where the mouse is only so often
LONELIEST = """chart => {
  const layout = chart._fullLayout;
  const points = chart._fullData.filter(t => t.xaxis === 'x').flatMap(t => Array.from(t.x).map(
    (x, i) => [layout.xaxis.d2p(x), layout.yaxis.d2p(t.y[i]), t.text[i]]));
  const room = p => Math.min(...points.filter(q => q !== p).map(q => Math.hypot(p[0]-q[0], p[1]-q[1])));
  return points.reduce((best, p) => room(p) > room(best) ? p : best);
}"""
LOOKED_FROM = "chart => chart._fullLayout.scene?._scene?.getCamera().eye.x"


def open_slots(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{LINK}{query}")
    expect(page.locator(".st-key-slot_map .nsewdrag").first).to_be_visible()


def click_loneliest(page: Page) -> tuple[int, int, int]:
    """Click the point that is farthest from all others; story, step and slot it names when pointed at."""
    wait_until_drawn(page)  # what is drawn later moves the chart
    x, y, text = chart_value(page, "slot_map", LONELIEST)
    area = page.locator(".st-key-slot_map .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    page.mouse.move(box["x"] + x - 3, box["y"] + y)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.wait_for_timeout(HOVER_MS)
    page.mouse.click(box["x"] + x, box["y"] + y)
    story, step, slot = map(int, re.match(r"story (\d+), sentence (\d+), slot (\d+)", text).groups())
    return story, step, slot


def test_a_clicked_point_opens_its_story_here_and_on_the_story_page(page, app_url):
    open_slots(page, app_url, "&seed=0&map_slots=1&map_slots=13&slot=5")
    story, step, slot = click_loneliest(page)
    sentence = page.get_by_text(f"▶ {step} {generate_story('qa1', story).sentences[step - 1]}")
    expect(sentence).to_be_visible()
    expect(page.get_by_text(f"Slot {slot} through story {story}; numbers are sentences read")).to_be_visible()
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(sentence).to_be_visible()
    page.get_by_role("link", name="Open on the Story page").click()
    expect(page.get_by_text("What is in this model's memory?")).to_be_visible()
    expect(sentence).to_be_visible()
    expect(page.get_by_role("radio", name="Generated")).to_be_checked()
    expect(page).to_have_url(re.compile("source=Generated"))


def test_the_map_in_three_dimensions_is_turned_by_the_mouse(page, app_url):
    open_slots(page, app_url, "&seed=0&map_slots=13")
    page.get_by_text("3-D", exact=True).click()
    expect(page.locator(".st-key-slot_map_3d .gl-container canvas").first).to_be_visible()
    expect(page).to_have_url(re.compile("map_axes=3-D"))
    before = chart_value(page, "slot_map_3d", LOOKED_FROM)
    box = page.locator(".st-key-slot_map_3d .gl-container canvas").first.bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + 90, middle[1], steps=5)
    page.mouse.up()
    assert chart_value(page, "slot_map_3d", LOOKED_FROM, other_than=before) != before


def test_after_an_example_the_link_still_opens_the_story_of_the_point(page, app_url):
    page.goto(app_url)
    expect(page.get_by_role("radio", name="Example")).to_be_checked()
    page.get_by_role("link", name="Slots").click()
    expect(page.locator(".st-key-path .nsewdrag").first).to_be_visible()
    story, step, _ = click_loneliest(page)
    sentence = page.get_by_text(f"▶ {step} {generate_story('qa1', story).sentences[step - 1]}")
    expect(sentence).to_be_visible()
    page.get_by_role("link", name="Open on the Story page").click()
    expect(page.get_by_role("radio", name="Generated")).to_be_checked()
    expect(sentence).to_be_visible()


def test_the_explorer_follows_the_slot_and_its_link_reopens_it(page, app_url):
    open_slots(page, app_url)
    page.get_by_text("Explanation", exact=True).click()
    expect(page.locator(".st-key-explanations .nsewdrag").first).to_be_visible()
    box = page.get_by_label("Slot", exact=True)
    box.fill("13")
    box.press("Enter")
    expect(page.get_by_text("Slot 13: what explains it")).to_be_visible()
    expect(page).to_have_url(re.compile("slot=13"))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.get_by_text("Slot 13: what explains it")).to_be_visible()


def test_two_models_are_matched_on_the_page_compare(page, app_url):
    page.goto(f"{app_url}/compare")
    expect(page.get_by_text("Does a memory help?")).to_be_visible()
    expect(page.locator(".st-key-accuracy .nsewdrag").first).to_be_visible()
    page.get_by_text("Two models", exact=True).click()
    expect(page.locator(".st-key-matching .nsewdrag").first).to_be_visible()
    expect(page.get_by_text("control: stories exchanged")).to_be_visible()
    expect(page).to_have_url(re.compile(r"compare_view=Two\+models"))
