"""The main path of the probes page in a real browser: matrix, click on a cell, link, labels."""

import re
from io import StringIO

import numpy as np
import pandas as pd
from playwright.sync_api import Page, expect

from app.loaders.sample import load_rows, page_sample
from lm2viz.figures.heatmap import TITLE_LINES
from lm2viz.probes.by_fact import probe_fact
from tests.browser.charts import heatmap_on_screen

SAMPLE = ("babi-qa1-3", "qa1", 100)
FACTS = ["place of Daniel", "place of John", "place of Mary", "place of Sandra"]
HOVER_MS = 500  # plotly looks at where the mouse is only so often
N_COLUMNS = 25  # 24 slots and the whole bank


def open_probes(page: Page, url: str, view: str) -> None:
    page.goto(f"{url}/probes?model={SAMPLE[0]}&task={SAMPLE[1]}&probes_view={view.replace(' ', '+')}")


def test_a_click_on_a_cell_opens_its_fact_and_slot_and_the_link_reopens_them(page, app_url):
    open_probes(page, app_url, "Slots and facts")
    area = page.locator(".st-key-matrix .nsewdrag").first
    expect(area).to_be_visible()
    fact = FACTS[2]
    rows, control = (
        load_rows(SAMPLE[0], page_sample(*SAMPLE[1:]), is_trained) for is_trained in (True, False)
    )
    alone = probe_fact(rows, control, fact)
    np.testing.assert_allclose(heatmap_on_screen(page, "matrix")[2], alone.matrix()[:, 0], atol=1e-6)
    area.scroll_into_view_if_needed()
    slot, box = 13, area.bounding_box()
    x = box["x"] + box["width"] * (slot + 0.5) / N_COLUMNS
    y = box["y"] + box["height"] * (TITLE_LINES + 2.5) / (TITLE_LINES + len(FACTS)) / 2  # two matrices
    finding = page.get_by_text(f"A probe of slot {slot} decodes the {fact}")
    page.mouse.move(x - 2, y)
    page.mouse.move(x, y)
    page.wait_for_timeout(HOVER_MS)
    page.mouse.click(x, y)
    expect(finding).to_be_visible()
    expect(page).to_have_url(re.compile(f"probe_slot={slot}"))
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(finding).to_be_visible()


def test_the_template_filled_in_comes_back_as_labels(page, app_url, tmp_path):
    open_probes(page, app_url, "Your labels")
    button = page.locator(".st-key-label_template button")
    expect(button).to_be_visible()
    with page.expect_download() as waited:
        button.click()
    template = pd.read_csv(StringIO(waited.value.path().read_text()))
    assert template["sentence"].tolist() == [
        s for story in page_sample(*SAMPLE[1:]).stories for s in story.sentences
    ]
    template["fact"] = "last named"
    template["value"] = template["sentence"].str.split().str[0]
    path = tmp_path / "mine.csv"
    template.to_csv(path, index=False)
    page.locator(".st-key-labels_upload input[type=file]").set_input_files(path)
    expect(page.get_by_text("mine.csv: 1000 labels")).to_be_visible()
    expect(page.locator(".st-key-labels_matrix .nsewdrag").first).to_be_visible()


def test_a_file_of_another_kind_is_refused_by_the_page(page, app_url, tmp_path):
    open_probes(page, app_url, "Your labels")
    path = tmp_path / "labels.pkl"
    path.write_bytes(b"x")
    upload = page.locator(".st-key-labels_upload")
    expect(upload).to_be_visible()
    upload.locator("input[type=file]").set_input_files(path)
    expect(upload.get_by_text("not allowed")).to_be_visible()
