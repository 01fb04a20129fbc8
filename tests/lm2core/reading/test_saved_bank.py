"""A saved bank comes back as it was, and is refused where it does not belong."""

import pytest
import torch
from safetensors.torch import save_file

from lm2core import load_bank, save_bank
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.loaded_model import untrained
from tests.handmade import N_SLOTS, WIDTH, handmade_lm

LM = handmade_lm()


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "bank.safetensors"
    save_bank(LM, memory_after(LM, ["Mary kitchen", "John office"]), path, info={"note": "as read"})
    return path


def test_a_saved_bank_answers_and_reads_on_as_the_story_would(saved):
    bank = load_bank(LM, saved)
    assert torch.equal(bank, memory_after(LM, ["Mary kitchen", "John office"]))
    assert ranked_words(LM, "where John?", bank)[0][0] == "office"
    later = memory_after(LM, ["John garden"], bank)
    torch.testing.assert_close(later, memory_after(LM, ["Mary kitchen", "John office", "John garden"]))
    assert ranked_words(LM, "where Mary?", later)[0][0] == "kitchen"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_bank_that_is_not_finite_is_neither_saved_nor_opened(value, saved, tmp_path):
    bank = load_bank(LM, saved)
    bank[0, 2, 4] = value
    with pytest.raises(ValueError, match=f"1 of {bank.numel()} values of the bank are NaN or infinite"):
        save_bank(LM, bank, tmp_path / "other.safetensors")
    assert not (tmp_path / "other.safetensors").exists()
    _with_contents(saved, bank)
    with pytest.raises(ValueError, match="NaN or infinite"):
        load_bank(LM, saved)


def test_a_bank_of_another_model_is_refused(saved):
    with pytest.raises(ValueError, match="is a bank of handmade .* not of untrained"):
        load_bank(untrained(LM, 0), saved)


def test_a_bank_of_another_shape_is_refused(saved, tmp_path):
    with pytest.raises(
        ValueError, match=rf"a bank of shape \(1, 2, {WIDTH}\); handmade has .*\(1, {N_SLOTS}, "
    ):
        save_bank(LM, load_bank(LM, saved)[:, :2], tmp_path / "b.safetensors")


def test_files_that_are_no_bank_are_told_in_one_line(tmp_path):
    with pytest.raises(ValueError, match="cannot open the bank .*none.safetensors: "):
        load_bank(LM, tmp_path / "none.safetensors")
    text, other = tmp_path / "text", tmp_path / "other.safetensors"
    text.write_text("Mary kitchen")
    with pytest.raises(ValueError, match="cannot open the bank .*text: it is no safetensors file"):
        load_bank(LM, text)
    save_file({"bank": torch.zeros(1, N_SLOTS, WIDTH)}, other)
    with pytest.raises(
        ValueError, match="other.safetensors is no saved bank; 'lm2 edit-memory --out' writes"
    ):
        load_bank(LM, other)


def _with_contents(path, bank):
    """The same file with other values."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    save_file({"bank": bank}, path, metadata=metadata)
