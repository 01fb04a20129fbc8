"""What holds of every page that a test opens: the headers of its tables are words."""

from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest
import streamlit as st


def raw_headers(data: Any, column_config: dict[str, Any] | None) -> list[str]:
    """The shown headers of a table that are names of variables."""
    names = [str(name) for name in pd.DataFrame(data).columns]
    configs = [(column_config or {}).get(name) for name in names]
    labels = [config.get("label") if isinstance(config, dict) else config for config in configs]
    headers = [label or name for name, label in zip(names, labels, strict=True)]
    return [header for header in headers if "_" in header]


@pytest.fixture(autouse=True)
def headers_are_words(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fails a test whose page drew a table with a raw name over a column."""
    found: list[str] = []
    draw = st.dataframe

    def checked(data: Any, *args: Any, column_config: Any = None, **kwargs: Any) -> Any:
        found.extend(raw_headers(data, column_config))
        return draw(data, *args, column_config=column_config, **kwargs)

    monkeypatch.setattr(st, "dataframe", checked)
    yield
    assert found == []
