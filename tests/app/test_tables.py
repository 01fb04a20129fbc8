"""Tables on a page have words for columns and intervals as text."""

import pandas as pd

from app.widgets.tables import interval, readable
from lm2viz.estimates import Estimate
from tests.app.conftest import raw_headers

NAN = float("nan")


def test_bounds_become_one_column_behind_their_value():
    table = pd.DataFrame(
        {
            "slot": [3],
            "n_stories": [20],
            "random_slot": [0.5],
            "random_slot_low": [0.25],
            "random_slot_high": [1],
        }
    )
    shown = readable(table)
    assert list(shown) == ["slot", "stories", "random slot", "95 % interval"]
    assert shown["95 % interval"].tolist() == ["0.25 to 1.00"]


def test_a_second_interval_names_its_value_and_a_missing_one_is_empty():
    table = pd.DataFrame(
        {"value": [1.0], "low": [0.5], "high": [2], "p": [0], "p_low": [NAN], "p_high": [NAN]}
    )
    assert readable(table).to_dict("records") == [
        {"value": 1.0, "95 % interval": "0.50 to 2.00", "p": 0, "95 % interval, p": ""}
    ]


def test_a_flag_and_a_number_of_the_same_name_both_stay():
    table = pd.DataFrame({"is_explained": [True], "explained": [0.5]})
    assert list(readable(table)) == ["explained?", "explained"]


def test_an_estimate_without_bounds_has_an_empty_interval():
    assert interval(Estimate(0.5, NAN, NAN, 1)) == ""
    assert interval(Estimate(0.5, 0.4, 0.6, 9)) == "0.40 to 0.60"


def test_raw_names_of_columns_are_found_unless_the_page_gives_them_a_label():
    table = {"n_stories": [1], "strength_low": [2], "p before": [3]}
    assert raw_headers(table, {"n_stories": "stories", "p before": {"label": None}}) == ["strength_low"]
    assert raw_headers(pd.DataFrame(table), None) == ["n_stories", "strength_low"]
