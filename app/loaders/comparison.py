"""The comparison of LM2 with its baselines that the project ran."""

from pathlib import Path

import streamlit as st

from lm2viz.comparison import Comparison, read_comparison

TABLE = Path(__file__).parents[2] / "docs" / "comparison" / "table.json"


@st.cache_resource(max_entries=1)
def load_comparison() -> Comparison:
    """The table of docs/comparison; ValueError when it is not there."""
    return read_comparison(TABLE)
