"""Charts on screen: what plotly holds for them, and the mouse over their cells."""

from typing import Any

import numpy as np
from playwright.sync_api import Page, expect

CELLS = "chart => Array.from(chart._fullData[PANEL].z, row => Array.from(row))"
# Found and read in one step: a redraw takes a chart away and brings another.
RESULT = """([key, old]) => {
    const chart = document.querySelector('.st-key-' + key + ' .js-plotly-plot');
    if (!chart || !chart._fullData || !chart.querySelector('.nsewdrag, canvas')) return null;
    const now = (READ)(chart);
    return old !== null && JSON.stringify(now) === JSON.stringify(old) ? null : now;
}"""


def wait_until_drawn(page: Page) -> None:
    """Until the server has sent the whole page; call it after a first sign of what is waited for."""
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def chart_value(page: Page, key: str, read: str, *, other_than: Any = None) -> Any:
    """What the JavaScript function ``read`` finds in plotly's element of a chart, once it is drawn.

    other_than : wait until it finds another value than this
    """
    result = page.wait_for_function(RESULT.replace("READ", read), arg=[key, other_than], polling=10)
    return result.json_value()


def heatmap_on_screen(page: Page, key: str, panel: int = 0) -> np.ndarray:
    """The cells plotly holds for one of the chart's heatmaps, when the whole page is there."""
    wait_until_drawn(page)
    return np.array(chart_value(page, key, CELLS.replace("PANEL", str(panel))))


def wait_for_new_cells(page: Page, key: str, old: np.ndarray, panel: int = 0) -> None:
    """Until plotly has drawn other cells than ``old``."""
    chart_value(page, key, CELLS.replace("PANEL", str(panel)), other_than=old.tolist())


def click_cell(page: Page, key: str, row: int, column: int, shape: tuple[int, int]) -> None:
    """Move to the middle of a cell, then click it."""
    heatmap_on_screen(page, key)
    area = page.locator(f".st-key-{key} .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    x = box["x"] + box["width"] * (column + 0.5) / shape[1]
    y = box["y"] + box["height"] * (row + 0.5) / shape[0]
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
