"""Links of earlier versions open the views that they meant, though their labels have changed."""

import pytest

from app.loaders import probes
from app.state import FORMER_LABELS
from tests.app.pages import open_page

PAGE_OF = {
    "open": "open",
    "probes_view": "probes",
    "causal_view": "causal_map",
    "compared_bank": "attention",
}


@pytest.mark.parametrize(
    ("key", "former"), [(key, former) for key, renamed in FORMER_LABELS.items() for former in renamed]
)
def test_a_former_label_in_a_link_opens_the_view_of_its_new_label(key, former, monkeypatch):
    monkeypatch.setattr(probes, "SIZES", (10, 30))  # another view has probes of as many stories
    page = open_page(PAGE_OF[key], **{key: former})
    chosen = page.segmented_control(key=key)
    assert chosen.value == FORMER_LABELS[key][former]
    other = next(option for option in chosen.options if option != chosen.value)
    chosen.set_value(other).run()
    assert not page.exception
    assert page.segmented_control(key=key).value == other
