"""The stage in a real browser: on every screen it fits, can be read, and names its controls."""

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.stage_page import open_stage, settled, stage_payload


def test_every_control_has_a_name(page: Page) -> None:
    open_stage(page, stage_payload(), "{step: 5, slot: 13}")
    for control in page.locator("button, select, input").all():
        if control.is_visible():
            name = control.evaluate(
                "node => node.ariaLabel || node.labels?.[0]?.textContent || node.textContent"
            )
            assert name.strip(), control.evaluate("node => node.outerHTML")


LAYOUTS = {
    "light": dict(viewport={"width": 1366, "height": 768}),
    "dark": dict(viewport={"width": 1366, "height": 768}, color_scheme="dark"),
    "phone": dict(viewport={"width": 390, "height": 844}),
    "dark phone": dict(viewport={"width": 390, "height": 844}, color_scheme="dark"),
    "still": dict(viewport={"width": 1366, "height": 768}, reduced_motion="reduce"),
    "projector": dict(viewport={"width": 1920, "height": 1080}),
}
# Text that is fainter than 4.5:1 on what is behind it, with its contrast.
FAINT = """() => {
  const rgba = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color") ? 1 : 255;
    return [r / scale, g / scale, b / scale, a];
  };
  const behind = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [1, 1, 1];
  };
  const linear = (x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const texts = document.createTreeWalker(document.querySelector(".stage"), NodeFilter.SHOW_TEXT);
  const faint = [];
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement;
    if (!node.checkVisibility({ opacityProperty: true }) || node.matches(":disabled, .old")) continue;
    const [a, b] = [light(rgba(getComputedStyle(node).color)), light(behind(node))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push([texts.currentNode.textContent, contrast]);
  }
  return faint;
}"""


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_have_no_overflow_and_readable_text(browser: Browser, layout: str) -> None:
    with browser.new_context(**LAYOUTS[layout]) as context:
        page = context.new_page()
        css = ":root { --stage-font-size: 24px }" if layout == "projector" else ""
        open_stage(page, stage_payload(), "{step: 5}", css=css)
        if layout == "still":
            assert page.evaluate("document.getAnimations().length") == 0
        settled(page)
        width, height = page.evaluate("[document.body.scrollWidth, document.documentElement.scrollHeight]")
        assert width <= LAYOUTS[layout]["viewport"]["width"]
        if "phone" not in layout:
            assert height <= LAYOUTS[layout]["viewport"]["height"]
        page.evaluate("stage.show({slot: 13})")
        assert page.evaluate(FAINT) == []
