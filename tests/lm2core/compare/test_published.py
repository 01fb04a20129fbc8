"""The paper's figures as we print them: their contradictions follow from them."""

from statistics import fmean

import pytest

from lm2core.compare.published import BABILONG, MODELS, QA1

LONG = ("8K", "16K", "32K", "64K", "128K")


def column(model: str, lengths: tuple[str, ...]) -> list[float]:
    return [BABILONG[length][MODELS.index(model)] for length in lengths]


def test_the_last_row_of_table_1_leaves_128k_out():
    printed = BABILONG[">=8K as printed (Table 1)"][MODELS.index("LM2-1.7B")]
    assert fmean(column("LM2-1.7B", LONG[:-1])) == pytest.approx(printed, abs=0.05)
    assert fmean(column("LM2-1.7B", LONG)) == pytest.approx(38.9, abs=0.05)


def test_baselines_of_that_row_are_lower_than_their_own_table():
    printed = BABILONG[">=8K as printed (Table 1)"]
    for model, right in (("Llama-3.2-1.2B", 29.1), ("vanilla-Llama-1.7B", 33.2)):
        assert fmean(column(model, LONG[:-1])) == pytest.approx(right, abs=0.051)
        assert printed[MODELS.index(model)] < right - 0.5


def test_every_row_has_a_figure_for_each_model():
    assert {len(row) for table in (BABILONG, QA1) for row in table.values()} == {len(MODELS)}
