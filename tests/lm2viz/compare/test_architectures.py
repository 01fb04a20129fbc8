"""The table of a comparison as the page shows it: the project's own, and tables that are none."""

import json

import numpy as np
import pytest

from lm2viz.compare.architectures import LONGER, NOISE, TESTS, read_comparison
from tests.conftest import ROOT

TABLE = ROOT / "docs" / "comparison" / "table.json"


@pytest.fixture(scope="module")
def comparison():
    return read_comparison(TABLE)


@pytest.mark.parametrize("test", TESTS)
def test_every_point_is_the_mean_of_its_seeds_in_the_table(comparison, test):
    entries = [e for e in json.loads(TABLE.read_text())["accuracy"] if e["group"] == "main"]
    figure = comparison.figure(test)
    lm2 = figure.data[0]
    assert lm2.name == "LM2"
    key = "noise" if test == NOISE else "length"
    for x, y, above in zip(lm2.x, lm2.y, lm2.error_y.array, strict=True):
        (entry,) = [
            e for e in entries if e["label"] == "lm2" and e[key] == x and (e["noise"] > 0) == (test == NOISE)
        ]
        assert y == pytest.approx(np.mean(entry["by_seed"]))
        assert above == pytest.approx(entry["high"] - entry["mean"])


@pytest.mark.parametrize("test", TESTS)
def test_floors_stand_beside_the_models(comparison, test):
    names = [trace.name for trace in comparison.figure(test).data]
    assert names[-2:] == ["baseline: majority answer", "baseline: last place named"]
    assert len(names) == 6


def test_the_summary_counts_wins_and_names_the_rest(comparison):
    verdicts = comparison.verdicts(NOISE)
    n_won = sum(verdicts["verdict"] == "LM2 wins")
    assert comparison.summary(NOISE).startswith(f"LM2 is ahead in {n_won} of {len(verdicts)} comparisons.")
    assert ("not decided against RMT at" in comparison.summary(NOISE)) == (n_won < len(verdicts))
    assert comparison.how_measured(LONGER) == "3 seeds, 200 questions each"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot read"),
        ("{", "is not a table of lm2 compare"),
        ("{}", "KeyError"),
        ("[]", "write it again"),
    ],
)
def test_what_is_no_table_is_refused(text, message, tmp_path):
    if text is not None:
        (tmp_path / "table.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_comparison(tmp_path / "table.json")
