"""The comparison page shows the table of docs/comparison, verdicts included."""

import pytest

from app.loaders import comparison
from tests.app.pages import open_page


@pytest.mark.parametrize("test", ["Longer stories", "Noise after the facts"])
def test_the_page_draws_the_models_and_says_who_is_ahead(test):
    page = open_page("compare", test=test)
    found = comparison.load_comparison()
    assert any(m.value == found.summary(test) for m in page.markdown)
    (table, perplexity, _published) = page.dataframe
    assert list(table.value["verdict"]) == list(found.verdicts(test)["verdict"])
    assert list(perplexity.value["mean"]) == list(found.perplexity["mean"])
    assert page.get("plotly_chart")[0].proto.alt


def test_a_link_with_an_unknown_test_opens_the_first():
    assert open_page("compare", test="<b>").segmented_control(key="test").value == "Longer stories"


def test_without_the_table_the_page_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(comparison, "TABLE", tmp_path / "table.json")
    comparison.load_comparison.clear()
    page = open_page("compare")
    assert "make it with: lm2 compare --out DIR" in page.info[0].value
    comparison.load_comparison.clear()
