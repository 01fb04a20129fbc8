"""Payloads that are odd on the stage: of another version, very long, of many slots, with markup."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage_page import N_SLOTS, open_stage, stage_payload


@pytest.mark.parametrize("payload", [{"schema": 2}, {}, None])
def test_another_schema_is_refused_in_one_line(page: Page, payload: Any) -> None:
    open_stage(page, payload)
    expect(page.locator("#root")).to_have_text(
        re.compile(r"This stage draws payloads of schema 1; got \w+\. Make")
    )
    page.evaluate("stage.show({step: 3}); stage.play(); stage.update(window.payload); stage.destroy()")


def test_a_story_of_a_thousand_sentences_is_refused_in_one_line(page: Page) -> None:
    payload = stage_payload()
    payload["sentences"] *= 125
    open_stage(page, payload)
    expect(page.locator("#root")).to_have_text(
        re.compile("A story of 1000 sentences cannot be drawn; at most 999")
    )


def test_of_many_slots_those_in_use_are_drawn_and_the_title_says_so(page: Page) -> None:
    payload, n = stage_payload(), 96
    payload["model"]["n_slots"] = n
    for step in payload["steps"]:
        pad(step, n)
    for asked in payload["questions"]:
        for answer in asked["steps"]:
            pad(answer, n)
    open_stage(page, payload)
    expect(page.locator(".slot")).to_have_count(32)
    expect(page.locator(".memory .title")).to_have_text(
        "Memory: 32 of 96 slots, those named, written or read most"
    )
    for slot in (1, 9, 13, 20):
        expect(page.locator(f".slot[data-slot='{slot}']")).to_have_count(1)


def pad(values: dict[str, Any], n: int) -> None:
    """Slots that nothing is written to and read from, up to ``n``, in each array of a step."""
    for name in ("writes", "keep", "change", "sources", "reads"):
        if name in values:
            old = np.array(values[name], float)
            fill = 1.0 if name == "keep" else 0.0
            values[name] = np.pad(
                old, [(0, 0)] * (old.ndim - 1) + [(0, n - N_SLOTS)], constant_values=fill
            ).tolist()


def test_markup_in_words_is_shown_as_text(page: Page) -> None:
    payload, markup = stage_payload(), "<img src=x onerror=alert(1)>"
    payload["sentences"][0] = {"text": markup, "words": [markup] * 6}
    payload["questions"][0]["text"] = markup
    payload["questions"][0]["steps"][1]["answers"][0][0] = markup
    open_stage(page, payload, "{step: 1}")
    expect(page.locator(".sentences .now .text")).to_have_text(markup)
    expect(page.locator(".caption")).to_contain_text(markup)
    assert page.locator("img").count() == 0
