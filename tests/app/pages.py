"""Pages as a user opens them, without a browser, and the numbers read back from their charts."""

import base64
import json
import re

import numpy as np
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT


def open_page(view: str | None = "story", /, **query: str) -> AppTest:
    """The page of ``app/views/VIEW.py`` with this link; None: the first one."""
    page = AppTest.from_file(str(ROOT / "app" / "menu.py"), default_timeout=60)
    if view is not None:
        page.switch_page(f"views/{view}.py")
    for key, value in query.items():
        page.query_params[key] = value
    page.run()
    assert not page.exception
    return page


def shown_verdict(page: AppTest) -> str:
    """The sentence on top of the page: its first line in bold, without the escapes of Markdown."""
    bold = next(m.value for m in page.markdown if m.value.startswith("**") and m.value.endswith("**"))
    return re.sub(r"\\(.)", r"\1", bold[2:-2])


def drawn(page: AppTest, title: str) -> np.ndarray:
    """The cells of the heatmap with this title, read back from the page."""
    for chart in page.get("plotly_chart"):
        spec = json.loads(chart.proto.spec)
        of_figure = spec["layout"].get("title", {}).get("text")
        for heat in spec["data"]:
            if "z" in heat and title in (heat.get("name"), of_figure):
                return unpacked(heat["z"])
    raise AssertionError(f"no heatmap titled {title!r}")


def unpacked(z) -> np.ndarray:
    """An array of a plotly figure, which may be packed as base64."""
    if not isinstance(z, dict):
        return np.array(z)
    flat = np.frombuffer(base64.b64decode(z["bdata"]), dtype=z["dtype"])
    return flat.reshape([int(n) for n in z["shape"].split(",")]) if "shape" in z else flat
