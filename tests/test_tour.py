"""The notebook runs from top to bottom on a fresh kernel, and says what its text claims."""

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

TOUR = ROOT / "docs" / "tour.ipynb"


@pytest.mark.slow
def test_the_tour_runs_and_its_claims_hold():
    notebook = nbformat.read(TOUR, as_version=4)
    NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": ROOT}}
    ).execute()
    expected = "\n".join(
        output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", [])
    )
    assert "place of Mary: slot" in expected
    assert "untrained model" in expected
    assert "  written by: 100.0%" in expected
    assert "supporting facts that are needed: " in expected
    assert "placebo: other slots" in expected
    assert "; placebos " in expected
    errors = [o for cell in notebook.cells for o in cell.get("outputs", []) if o["output_type"] == "error"]
    assert errors == []


def test_the_tour_is_kept_with_its_results_but_without_heavy_pictures():
    assert TOUR.stat().st_size < 1_000_000
    text = TOUR.read_text()
    assert '"output_type": "stream"' in text
    assert "plotly.com" not in text
