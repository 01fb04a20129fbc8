"""Many visitors at once: each sees the story of the own link, and nobody an error."""

import pytest
from playwright.sync_api import Browser, expect

from app.loaders.stories import generate_story

N_VISITORS = 20
STEP = 4


@pytest.mark.slow
def test_twenty_browsers_at_once_each_get_their_own_story(browser: Browser, app_url: str):
    contexts = [browser.new_context() for _ in range(N_VISITORS)]
    pages = [context.new_page() for context in contexts]
    for seed, page in enumerate(pages):
        link = f"{app_url}/?source=Generated&task=qa1&seed={seed}&step={STEP}"
        page.goto(link, wait_until="commit")
    for seed, page in enumerate(pages):
        own = f"▶ {STEP}  {generate_story('qa1', seed).sentences[STEP - 1]}"
        expect(page.get_by_text(own)).to_be_visible()
        expect(page.get_by_text("the model answers")).to_be_visible()
        assert page.get_by_test_id("stException").count() == 0
    for context in contexts:
        context.close()
