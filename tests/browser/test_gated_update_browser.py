"""The main path of the gated update in a real browser: look, shut a gate, see the answer go, undo, reopen."""

import time

from playwright.sync_api import Page, expect

LINK = "gated_update?example=2-two-facts&step=4&block=3&slot=13&question=Where+is+Mary%3F"
REDRAW_S = (
    1.5  # in tests, which may run beside other work; the goal of 0.5 s is measured by benchmarks/pages.py
)


def open_update(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/{LINK}{query}")
    expect(page.get_by_role("heading", name="Slot 13 in block 3")).to_be_visible()
    expect(page.locator(".st-key-routes .nsewdrag").first).to_be_visible()


def press_on_slider(page: Page, key: str, name: str) -> None:
    page.locator(f".st-key-{key}").get_by_role("slider").focus()
    page.keyboard.press(name)


def test_a_gate_is_shut_the_answer_goes_and_undo_brings_it_back(page, app_url):
    open_update(page, app_url)
    expect(page.get_by_text("office (100%) — the model's gates")).to_be_visible()
    press_on_slider(page, "input_gate", "Home")
    expect(page.get_by_text("— gates edited")).to_contain_text("kitchen")
    expect(page.get_by_text("With the gates edited:")).to_be_visible()
    assert "input_gate=0" in page.url
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("— gates edited")).to_have_count(0)
    expect(page.get_by_text("control: fresh bank").first).to_be_visible()


def test_a_link_reopens_the_edited_gates(page, app_url):
    open_update(page, app_url, "&input_gate=0")
    expect(page.get_by_text("— gates edited")).to_contain_text("kitchen")
    expect(page.locator(".katex-error")).to_have_count(0)


def test_an_edited_gate_answers_within_the_limit(page, app_url):
    """From the key press to the new answer; the median of five."""
    open_update(page, app_url, "&keep_gate=0.9")
    times = []
    for _ in range(6):
        page.wait_for_timeout(400)
        before = page.locator(".st-key-keep_gate").inner_text()
        start = time.perf_counter()
        press_on_slider(page, "keep_gate", "ArrowLeft")
        page.wait_for_function(
            "before => { const s = document.querySelector('.st-key-keep_gate');"
            " const done = document.querySelector('[data-test-script-state=notRunning]');"
            " return done && s.innerText !== before && location.href.includes('keep_gate=0.'); }",
            arg=before,
            polling=10,
        )
        expect(page.locator(".st-key-parts .nsewdrag").first).to_be_visible()
        times.append(time.perf_counter() - start)
    median = sorted(times[1:])[2]
    print(f"median of 5, an edited gate: {median * 1000:.0f} ms")  # noqa: T201
    assert median < REDRAW_S
