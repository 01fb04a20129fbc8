"""The main path of the causal map in a real browser: see a pair, measure it, reopen it, go to one side."""

from playwright.sync_api import Page, expect

LINK = "causal_map?model=babi-qa1-3"


def open_pair(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{LINK}{query}")
    expect(page.get_by_text("One of the placebos")).to_be_visible()


def test_the_map_of_this_pair_is_measured_and_its_link_shows_it_again(page, app_url):
    open_pair(page, app_url)
    expect(page.get_by_text("▶ 4").first).to_be_visible()
    expect(page.locator(".js-plotly-plot")).to_have_count(0)
    page.get_by_role("button", name="Measure").click()
    chart = page.locator(".st-key-causal_map .nsewdrag")
    expect(chart).to_have_count(4)
    expect(page.get_by_text("Taking one slot from the edited story moves").first).to_be_visible()
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(chart).to_have_count(4)


def test_only_the_chosen_measurement_is_run(page, app_url):
    open_pair(page, app_url)
    page.get_by_role("button", name="Attribution", exact=True).or_(
        page.get_by_role("radio", name="Attribution", exact=True)
    ).first.click()
    expect(page.get_by_text("Generated stories of the task")).to_be_visible()
    page.get_by_role("button", name="Measure").click()
    expect(page.locator(".st-key-attribution .nsewdrag").first).to_be_visible()
    expect(page.get_by_text("The parts sum to")).to_be_visible()
    expect(page.locator(".st-key-causal_map")).to_have_count(0)


def test_the_edited_side_opens_on_the_page_of_one_story_and_asks_the_question(page, app_url):
    page.goto(f"{app_url}/story?source=Generated&seed=5&step=2&question=Where is John?")
    expect(page.get_by_text("After 2 of").first).to_be_visible()
    page.get_by_role("link", name="Causal map").click()
    expect(page.get_by_text("One of the placebos")).to_be_visible()
    question = page.get_by_text("Where is", exact=False).first.inner_text()
    page.get_by_role("button", name="Open on the Story page").nth(1).click()
    read = page.get_by_text("After 8 of 8 sentences.").first
    expect(read).to_be_visible()
    expect(page.get_by_label("Question")).to_have_value(question)
    assert "own=" in page.url and "source=Own" in page.url
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(read).to_be_visible()
    expect(page.get_by_label("Question")).to_have_value(question)


def test_a_bar_tells_how_far_the_measurement_is_and_then_goes(page, app_url):
    open_pair(page, app_url, "&n_pairs=10&pair_seed=40")
    page.get_by_role("button", name="Measure").click()
    message = page.get_by_text("Patching every slot after every sentence · reading on from patches, batch")
    expect(message).to_be_visible()
    bar = page.get_by_role("progressbar")
    share = bar.get_attribute("aria-valuenow")
    expect(bar).not_to_have_attribute("aria-valuenow", share or "")
    expect(page.locator(".st-key-causal_map .nsewdrag")).to_have_count(4)
    expect(bar).to_have_count(0)
