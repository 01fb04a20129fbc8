"""Charts on screen: what plotly holds for them, and the mouse over their cells."""

import numpy as np
from playwright.sync_api import JSHandle, Page, expect

DRAWN = """key => {
    const plot = document.querySelector('.st-key-' + key + ' .js-plotly-plot');
    return plot && plot._fullData && plot.querySelector('.nsewdrag, canvas') ? plot : null;
}"""
OTHER_CELLS = """([key, old]) => {
    const plot = document.querySelector('.st-key-' + key + ' .js-plotly-plot');
    if (!plot || !plot._fullData) return false;
    const now = Array.from(plot._fullData[0].z, row => Array.from(row)).flat();
    return now.length !== old.length || now.some((value, i) => value !== old[i]);
}"""


def wait_until_drawn(page: Page) -> None:
    """Until the server has sent the whole page."""
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def drawn_chart(page: Page, key: str) -> JSHandle:
    """Plotly's element of a chart, once it is drawn: a redraw replaces the old one, with a gap between."""
    wait_until_drawn(page)
    return page.wait_for_function(DRAWN, arg=key)


def heatmap_on_screen(page: Page, key: str) -> np.ndarray:
    """The cells plotly holds for the drawn chart."""
    return np.array(
        drawn_chart(page, key).evaluate("plot => Array.from(plot._fullData[0].z, row => Array.from(row))")
    )


def wait_for_new_cells(page: Page, key: str, old: np.ndarray) -> None:
    """Until plotly has drawn other cells than ``old``."""
    page.wait_for_function(OTHER_CELLS, arg=[key, old.ravel().tolist()], polling=10)


def click_cell(page: Page, key: str, row: int, column: int, shape: tuple[int, int]) -> None:
    """Move to the middle of a cell, then click it."""
    drawn_chart(page, key)
    area = page.locator(f".st-key-{key} .nsewdrag").first
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    x = box["x"] + box["width"] * (column + 0.5) / shape[1]
    y = box["y"] + box["height"] * (row + 0.5) / shape[0]
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y)
    page.mouse.click(x, y)
