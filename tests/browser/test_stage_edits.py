"""Edits and stories of one's own on the stage, with an engine that notes what it is asked."""

import re
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage_page import ENGINE, QUESTIONS, STORY, open_stage, stage_payload

AT_5 = f"{{step: 5, slot: 13, engine: {ENGINE}}}"
BLOCK = {"kind": "clamp_gate", "gate": "in", "value": 0}


def click(page: Page, name: str) -> None:
    page.get_by_role("button", name=name).click()


def expected_control(payload: dict[str, Any], step: int) -> int:
    """The slot without a name whose changes up to ``step`` sum to most."""
    changed = np.sum([each["change"] for each in payload["steps"][:step]], axis=0)
    changed[[probe["slot"] for probe in payload["probes"]]] = -1
    return int(changed.argmax())


def test_erasing_a_slot_compares_the_answer_with_that_of_a_control_slot(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, AT_5)
    click(page, "Erase this slot")
    control, p = expected_control(payload, 5), payload["questions"][0]["steps"][5]["answers"][0][1]
    shown = f"hallway ({round(100 * p)}\u00a0%)"
    expect(page.locator(".result")).to_have_text(
        f"Slot 13 erased after sentence 5: {shown} \u2192 garden (41\u00a0%). Control, slot {control} "
        f"instead (the slot without a name that had changed most by then): {shown}."
    )
    assert page.evaluate("runs.map((run) => run.edits)") == [
        [{"kind": "zero", "slots": [slot], "step": 5}] for slot in (13, control)
    ]
    assert page.evaluate("[runs[0].sentences, runs[0].questions]") == [list(STORY), list(QUESTIONS)]
    expect(page.locator("ol[aria-label=Answer] li").first).to_have_attribute("data-word", "garden")
    expect(page.locator(".slot[data-slot='13']")).to_contain_text("erased after sentence 5")


def test_a_block_tells_the_slot_whose_change_grew_most(page: Page) -> None:
    open_stage(page, stage_payload(), AT_5)
    click(page, "Block writes of this sentence")
    expect(page.locator(".result")).to_contain_text(
        "Most of it was written to slot 8 instead, which changed by 0.31 more."
    )
    assert page.evaluate("runs[0].edits") == [BLOCK | {"slots": [13], "step": 5}]
    assert page.locator(".flow .write[data-slot='13']:not([hidden])").count() == 0


def test_edits_add_up_and_undo_takes_back_the_last(page: Page) -> None:
    open_stage(page, stage_payload(), AT_5)
    click(page, "Erase this slot")
    expect(page.locator(".result")).to_be_visible()
    click(page, "Block writes of this sentence")
    expect(page.locator(".result")).to_contain_text("blocked")
    assert page.evaluate("stage.state.edits.map((edit) => edit.kind)") == ["zero", "clamp_gate"]
    click(page, "Undo")
    expect(page.locator(".result")).to_contain_text("erased")
    click(page, "Undo")
    expect(page.locator(".result")).to_be_hidden()
    expect(page.locator("ol[aria-label=Answer] li").first).to_have_attribute("data-word", "hallway")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()


def test_the_verdict_is_about_the_question_and_the_step_shown(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, AT_5)
    click(page, "Erase this slot")
    expect(page.locator(".result")).to_be_visible()
    page.evaluate("stage.show({question: 1, step: 8})")
    word, p = payload["questions"][1]["steps"][8]["answers"][0]
    same = f"{word} ({round(100 * p)}\u00a0%)"
    expect(page.locator(".result")).to_contain_text(f"{same} \u2192 {same}")


def test_without_an_engine_there_are_no_edits_and_a_line_says_why(page: Page) -> None:
    open_stage(page, stage_payload(), "{step: 5, slot: 13}")
    expect(page.get_by_role("button", name="Erase this slot")).to_have_count(0)
    expect(page.locator(".card")).to_contain_text("Edits need the model; this page shows a recorded run.")
    assert page.locator("form").count() == 0


def test_what_the_engine_cannot_do_is_said_and_the_picture_stays(page: Page) -> None:
    open_stage(page, stage_payload(), AT_5)
    page.evaluate("window.fails = true")
    click(page, "Erase this slot")
    expect(page.locator(".result")).to_have_text("The story is too long for this model.")
    expect(page.locator("ol[aria-label=Answer] li").first).to_have_attribute("data-word", "hallway")
    expect(page.get_by_role("button", name="Erase this slot")).to_be_enabled()


def test_a_story_of_ones_own_is_read_and_unknown_words_lose_nothing(page: Page) -> None:
    open_stage(page, stage_payload(), AT_5)
    page.get_by_text("Your own sentences").click()
    sentences = page.get_by_label("Your own sentences, one a line")
    expect(sentences).to_have_value("\n".join(STORY))
    sentences.fill("Mary went to the moon.\n\n John moved. ")
    click(page, "Read this story")
    expect(page.locator(".message")).to_have_text("The model does not know: moon")
    expect(sentences).to_have_value(re.compile("moon"))
    assert page.evaluate("window.runs") is None
    sentences.fill("Mary went to the garden.\n\n John moved. ")
    click(page, "Read this story")
    expect(page.locator(".where")).to_have_text(
        "Sentence 1 of 8"
    )  # the engine answers with the page's payload
    asked = {
        "sentences": ["Mary went to the garden.", "John moved."],
        "questions": ["Where is Mary?"],
        "edits": [],
    }
    assert page.evaluate("window.runs") == [asked]
    expect(page.locator(".message")).to_have_text("")


@pytest.mark.parametrize("empty", ["Your own sentences, one a line", "Question"])
def test_a_story_needs_sentences_and_a_question(page: Page, empty: str) -> None:
    open_stage(page, stage_payload(), AT_5)
    page.get_by_text("Your own sentences").click()
    page.locator("form").get_by_label(empty, exact=True).fill(" ")
    click(page, "Read this story")
    expect(page.locator(".message")).to_have_text("Write at least one sentence and a question.")


def test_a_payload_that_arrives_meanwhile_is_not_overwritten_by_an_edit(page: Page) -> None:
    open_stage(page, stage_payload(), AT_5)
    page.evaluate(
        """() => { document.querySelector(".edits button").click(); stage.update(window.payload); }"""
    )
    expect(page.get_by_role("button", name="Erase this slot")).to_be_enabled()
    assert page.evaluate("[window.runs.length, stage.state.edits.length]") == [2, 0]
