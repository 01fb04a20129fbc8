"""Many users at once: each sees the run of their own story, and nobody an error."""

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from app.loaders.stories import generate_story
from app.loaders.traces import load_answer, load_trace
from lm2viz.story.select import write_strength
from tests.browser.charts import heatmap_on_screen

N_USERS = 3
MODEL, STEP = "babi-qa1-3", 4


@pytest.mark.slow
def test_browsers_at_once_each_get_the_run_of_their_own_story(browser: Browser, app_url: str):
    contexts = [browser.new_context() for _ in range(N_USERS)]
    pages = [context.new_page() for context in contexts]
    errors: list[str] = []
    for seed, page in enumerate(pages):
        page.on("pageerror", lambda error: errors.append(str(error)))
        link = f"{app_url}/story?model={MODEL}&source=Generated&task=qa1&seed={seed}&step={STEP}"
        page.goto(link, wait_until="commit")
    for seed, page in enumerate(pages):
        story = generate_story("qa1", seed)
        expect(page.get_by_text(f"▶ {STEP}  {story.sentences[STEP - 1]}")).to_be_visible()
        expect(page.get_by_text("the model answers").first).to_be_visible()
        expect(page.locator(".st-key-writes .nsewdrag").first).to_be_visible()
        strength = write_strength(load_trace(MODEL, story.sentences), STEP - 1, 0)
        np.testing.assert_allclose(heatmap_on_screen(page, "writes"), strength, atol=1e-6)
        question = page.get_by_label("Question").get_attribute("placeholder")
        answer = load_answer(MODEL, story.sentences, STEP, question)
        expected = f"the model answers {answer.words[0]} ({answer.probabilities[0]:.0%})"
        expect(page.get_by_text(expected).first).to_be_visible()
        assert page.get_by_test_id("stException").count() == 0
    for context in contexts:
        context.close()
    assert errors == []
