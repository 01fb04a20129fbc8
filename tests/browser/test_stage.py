"""The stage in a real browser draws the numbers of its payload."""

import re

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from tests.browser.stage_page import N_SLOTS, open_stage, stage_payload


def drawn(page: Page, kind: str) -> dict[tuple[int | None, int], float]:
    """The amounts of the visible curves by word (None: a read) and slot."""
    found = page.evaluate(
        """kind => [...document.querySelectorAll(`.flow .${kind}:not([hidden])`)].map(({ dataset }) =>
        [Number(dataset.word), Number(dataset.slot), Number(dataset.amount)])""",
        kind,
    )
    return {(None if kind == "read" else word, slot): amount for word, slot, amount in found}


def test_curves_are_the_largest_writes_and_reads_of_the_payload(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, "{step: 5}")
    writes = np.array(payload["steps"][4]["writes"]).mean(axis=0)
    curves = drawn(page, "write")
    assert curves == {
        (word, slot): pytest.approx(writes[word, slot])
        for word, slot in np.argwhere(writes >= 0.1 * writes.max())
    }
    assert max(curves, key=curves.__getitem__) == (5, 13)  # hallway
    reads = np.array(payload["questions"][0]["steps"][5]["reads"])
    assert drawn(page, "read") == {
        (None, slot): pytest.approx(reads.mean(axis=0)[slot])
        for (slot,) in np.argwhere(reads.mean(axis=0) >= 0.1 * reads.mean(axis=0).max())
    }
    page.get_by_label("Amounts").select_option("block 3")
    last = np.array(payload["steps"][4]["writes"][3])
    assert drawn(page, "write") == {
        (word, slot): last[word, slot] for word, slot in np.argwhere(last >= 0.1 * last.max())
    }


def test_cells_and_answers_carry_the_numbers_of_the_payload(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, "{step: 5}")
    for slot in range(N_SLOTS):
        cell = page.locator(f".slot[data-slot='{slot}']")
        expect(cell).to_have_attribute("data-change", str(payload["steps"][4]["change"][slot]))
    answers = page.locator("ol[aria-label=Answer] li").all()
    told = [
        [row.get_attribute("data-word"), float(row.get_attribute("data-probability") or 0)] for row in answers
    ]
    assert told == payload["questions"][0]["steps"][5]["answers"][: len(told)]
    control = page.locator("ol[aria-label^='Answer from empty memory'] li").first
    expect(control).to_have_attribute("data-word", payload["questions"][0]["steps"][0]["answers"][0][0])
    expect(page.locator(".right-answer")).to_have_attribute("data-right", "true")


def test_a_slot_takes_its_new_name_and_tells_the_old_one(page: Page) -> None:
    open_stage(page, stage_payload(), "{step: 4}")
    cell = page.locator(".slot[data-slot='13']")
    expect(cell.locator(".now")).to_have_text("Mary: kitchen")
    page.get_by_role("button", name="Next").click()
    expect(cell.locator(".now")).to_have_text("Mary: hallway")
    expect(cell.locator(".was")).to_have_text(re.compile(r"was kitchen, 14\s%\skept"))
    expect(page.locator(".caption")).to_contain_text(
        re.compile(r"Sentence 5: hallway wrote 0\.\d\d to slot 13, now Mary: hallway \(\d+\s%\)")
    )


def test_a_name_no_better_than_its_controls_is_grey_and_a_wrong_one_is_marked(page: Page) -> None:
    payload = stage_payload()
    payload["steps"][0]["names"][0] |= {"beats_control": False, "true": "office"}
    open_stage(page, payload, "{step: 1}")
    name = page.locator(".slot[data-slot='13'] .fact")
    expect(name).to_have_css("font-style", "italic")
    expect(name).to_contain_text("the story says office")


def test_a_name_that_no_answer_goes_by_is_grey_and_says_so(page: Page) -> None:
    payload = stage_payload()
    name = payload["steps"][0]["names"][0]
    name["used"] = False
    probe = next(probe for probe in payload["probes"] if probe["fact"] == name["fact"])
    probe["used"] = False
    open_stage(page, payload, f"{{step: 1, slot: {name['slot']}}}")
    line = page.locator(f".slot[data-slot='{name['slot']}'] .fact[data-fact='{name['fact']}']")
    expect(line).to_have_css("font-style", "italic")
    expect(line.locator(".use")).to_have_text("decoded, not used")
    expect(page.locator(".caption")).not_to_contain_text("a slot without a name")
    expect(page.get_by_role("complementary", name="Slot")).to_contain_text("Answers do not use it")
    page.get_by_role("button", name="Next").click()
    expect(line.locator(".use")).to_have_text("")


def test_a_sentence_lights_the_slots_that_hold_something_of_it(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, "{step: 8}")
    page.locator(".sentence", has_text="hallway").hover()
    shares = np.array(payload["steps"][7]["sources"][4])
    lit = {int(cell.get_attribute("data-slot") or -1) for cell in page.locator(".slot[data-lit]").all()}
    assert lit == set(np.flatnonzero(np.abs(shares) >= 0.05))
    assert 13 in lit


def test_the_card_tells_who_wrote_a_slot_and_how_good_its_probe_is(page: Page) -> None:
    payload = stage_payload()
    open_stage(page, payload, "{step: 8, slot: 13}")
    card = page.get_by_role("complementary", name="Slot")
    shares = {
        row.get_attribute("data-sentence"): row.get_attribute("data-share")
        for row in card.locator("li").all()
    }
    sources = payload["steps"][7]["sources"]
    assert {sentence: float(shares[sentence] or 0) for sentence in "15"} == {
        "1": sources[0][13],
        "5": sources[4][13],
    }
    assert sum(float(share or 0) for share in shares.values()) == pytest.approx(1, abs=0.01)
    probe = next(probe for probe in payload["probes"] if probe["fact"] == "place of Mary")
    for words in ("Probe for place of Mary", f"untrained model {round(100 * probe['untrained'])}"):
        expect(card).to_contain_text(words)
