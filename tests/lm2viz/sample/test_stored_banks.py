"""Banks that stay in their files give what banks in memory give, in less memory than they take."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from lm2core.reading.story_traces import record_to
from lm2core.traces.folder import TraceFolder
from lm2core.traces.trace import Trace
from lm2viz.probes import fit_probe, learning_curve, probe
from lm2viz.sample import banks, rows
from lm2viz.sample.banks import StoredBanks
from lm2viz.sample.rows import bank_rows
from lm2viz.slots import explain_slots
from lm2viz.stats import bank_stats, gate_stats, map_slots
from lm2viz.stats import banks as bank_measures
from tests.handmade import handmade_lm, handmade_stories

FACT = "place of Mary"
N_SENTENCES, N_SLOTS, N_DIMS = 4, 32, 1024


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("traces") / "of stories"
    return record_to(path, handmade_lm(), handmade_stories(24, n_sentences=5), budget="90KB")


@pytest.fixture
def in_parts(monkeypatch):
    """Banks stay in their files, and parts are small."""
    monkeypatch.setattr(rows, "IN_MEMORY", "1KB")
    for module in (banks, bank_measures):
        monkeypatch.setattr(module, "PART_BYTES", 2**18)


@pytest.mark.parametrize(
    "analyse",
    [
        bank_stats,
        lambda of: map_slots(of, FACT, slots=[0, 2]),
        lambda of: probe(of, n_folds=3),
        lambda of: learning_curve(of, FACT, slot="bank", sizes=(8,), n_folds=3),
        explain_slots,
    ],
    ids=["bank_stats", "map_slots", "probe", "learning_curve", "explain_slots"],
)
def test_an_analysis_gives_the_same_of_banks_in_their_files(folder, analyse, monkeypatch):
    assert len(folder) > 2
    of_memory = bank_rows(folder)
    monkeypatch.setattr(rows, "IN_MEMORY", "1KB")
    monkeypatch.setattr(banks, "PART_BYTES", 1)  # a slot at a time
    of_files = bank_rows(folder)
    assert isinstance(of_memory.banks, np.ndarray)
    assert isinstance(of_files.banks, StoredBanks)
    pd.testing.assert_frame_equal(analyse(of_files).table(), analyse(of_memory).table())


def test_a_probe_fitted_to_banks_in_their_files_is_the_same(folder, in_parts):
    stored = fit_probe(bank_rows(folder), FACT, n_folds=3)
    of_memory = fit_probe(
        bank_rows([Trace(dict(t.arrays), t.axes, t.tokens, t.info) for t in folder]), FACT, n_folds=3
    )
    np.testing.assert_allclose(stored.coefficients, of_memory.coefficients)
    pd.testing.assert_frame_equal(stored.predictions, of_memory.predictions)


def _wide_folder(path, n_stories):
    """Traces of one story each, of which slot 2 holds a fact and all else is noise."""
    path.mkdir()
    axes = ("story", "segment", "slot", "dim")
    names = ("hook_bank", "blocks.0.mem.hook_gate_in", "blocks.0.mem.hook_gate_forget")
    for i in range(n_stories):
        rng = np.random.default_rng(i)
        values = rng.integers(3, size=N_SENTENCES)
        arrays = {name: rng.random((1, N_SENTENCES, N_SLOTS, N_DIMS), np.float32) for name in names}
        arrays["hook_bank"][0, :, 2] += 3.0 * np.eye(3, N_DIMS, dtype=np.float32)[values]
        facts = [{"mood": (str(value), place)} for place, value in enumerate(values)]
        info = {"n_parts": n_stories, "stories": [{"facts": facts}]}
        trace = Trace(arrays, dict.fromkeys(names, axes), [[["a"]] * N_SENTENCES], info)
        trace.save(path / f"part-{i:05}.safetensors")
    return TraceFolder(path)


def test_statistics_and_probes_of_a_folder_take_less_than_its_banks(tmp_path, in_parts):
    few, many = (_wide_folder(tmp_path / f"{n}", n) for n in (6, 18))

    def peak(analyse):
        tracemalloc.start()
        analyse()
        n_bytes = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return n_bytes

    n_bytes_of_banks = len(many) * N_SENTENCES * N_SLOTS * N_DIMS * 4
    assert peak(lambda: probe(bank_rows(many), n_folds=2)) < n_bytes_of_banks
    for analyse in (gate_stats, lambda traces: bank_stats(bank_rows(traces))):
        assert peak(lambda: analyse(many)) < 1.2 * peak(lambda: analyse(few))  # noqa: B023
