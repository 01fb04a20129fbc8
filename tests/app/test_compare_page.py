"""The comparison page shows the table of docs/comparison, verdicts included."""

import json

import numpy as np
import pytest

from app.loaders import compare
from lm2viz.compare.architectures import FLOORS
from tests.app.pages import open_page, shown_verdict, unpacked


@pytest.mark.parametrize("test", ["Longer stories", "Noise after the facts"])
def test_the_page_draws_the_models_and_says_who_is_ahead(test):
    page = open_page("compare", test=test)
    result = compare.load_comparison()
    assert shown_verdict(page) == result.summary(test)
    (table, perplexity, bank_change, _published) = page.dataframe
    assert list(table.value["verdict"]) == list(result.verdicts(test)["verdict"])
    assert list(perplexity.value["mean"]) == list(result.perplexity["mean"])
    np.testing.assert_allclose(bank_change.value["LM2"], 100 * result.bank_change["mean"])
    assert page.get("plotly_chart")[0].proto.alt


@pytest.mark.parametrize(
    ("varied", "last"), [("Blocks with memory", "all 4 blocks"), ("Number of slots", "24 slots")]
)
def test_blocks_and_slots_have_their_own_curves_and_no_verdict_of_architectures(varied, last):
    page = open_page("compare", varied=varied)
    result = compare.load_comparison()
    lines = {line["name"]: line for line in json.loads(page.get("plotly_chart")[0].proto.spec)["data"]}
    assert set(result.of("Longer stories", varied)["model"]) == set(lines) - set(FLOORS.values())
    of_lm2 = result.of("Longer stories")
    np.testing.assert_allclose(unpacked(lines[last]["y"]), of_lm2[of_lm2["model"] == "LM2"]["mean"])
    assert len(page.dataframe) == 3  # perplexity, change of the bank, what was published


def test_a_link_with_an_unknown_test_opens_the_first():
    assert open_page("compare", test="<b>").segmented_control(key="test").value == "Longer stories"


def test_without_the_table_the_page_says_how_to_make_it(monkeypatch, tmp_path):
    monkeypatch.setattr(compare, "TABLE", tmp_path / "table.json")
    compare.load_comparison.clear()
    page = open_page("compare")
    assert "make it with: lm2 compare --out DIR" in page.info[0].value
    compare.load_comparison.clear()
