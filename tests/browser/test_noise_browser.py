"""The noise page in a real browser: the gate on screen is the trace's, a click on a bar goes there."""

import re

import numpy as np
from playwright.sync_api import Page, expect

from app.loaders import noise
from lm2viz.stats.noise import EVERY_WORD, is_fact, segment_gates
from tests.browser.charts import chart_value, wait_until_drawn

TEXT = ("qa1", "1k", 0)
N_SEGMENTS = 34
HOVER_MS = 500  # plotly looks at where the mouse is only so often


def open_noise(page: Page, url: str, query: str = "") -> None:
    page.goto(f"{url}/noise?noise_task=qa1&length=1k&seed=0{query}")
    expect(page.get_by_text("the model answers").first).to_be_visible()
    expect(page.locator(".st-key-contrast .nsewdrag").first).to_be_visible()


def test_the_bars_on_screen_are_the_gates_of_the_trace(page, app_url):
    open_noise(page, app_url)
    bars = chart_value(
        page,
        "strips",
        "chart => Array.from(chart._fullData).filter(t => t.type === 'bar')"
        ".map(t => [Array.from(t.x), Array.from(t.y)])",
    )
    trace = noise.load_reading(*TEXT, True)
    gates, facts = segment_gates(trace, EVERY_WORD), is_fact(trace)
    for block in range(4):
        for (x, y), chosen in zip(bars[2 * block : 2 * block + 2], (~facts, facts), strict=True):
            np.testing.assert_array_equal(x, np.flatnonzero(chosen) + 1)
            np.testing.assert_allclose(y, gates[block, chosen], atol=1e-6)


def test_a_click_above_a_segment_reads_up_to_it_and_the_link_reopens_it(page, app_url):
    open_noise(page, app_url, "&gate_measure=Widest+slot")
    segment = 9
    wait_until_drawn(page)  # what is drawn later moves the chart
    area = page.locator(".st-key-strips .nsewdrag").nth(2)
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    x, y = box["x"] + box["width"] * (segment - 0.5) / N_SEGMENTS, box["y"] + box["height"] * 0.9
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(HOVER_MS)
    page.mouse.click(x, y)
    position = page.get_by_text(f"After {segment} of {N_SEGMENTS} segments")
    expect(position).to_be_visible()
    expect(page).to_have_url(re.compile(f"step={segment}"))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(position).to_be_visible()
    expect(page.get_by_text("the slot that the segment opens widest")).to_be_visible()
