"""Patching parts of a write tells what was changed from where it went."""

import numpy as np
import pytest
import torch

from lm2core.babi.counterfactual import draw_counterfactuals
from lm2core.reading.checkpoints import load
from lm2core.reading.continuing import answer_logits
from lm2viz.causal.pairs import read_sides
from lm2viz.causal.parts import causal_parts
from lm2viz.causal.patching import ALL, PARTS, Patches, patched_logits
from tests.handmade import MEMORY_BLOCK, N_SLOTS, SLOT_OF, handmade_lm
from tests.lm2viz.causal.made_pairs import person_pairs, place_pairs, placebos

LM = handmade_lm()
PLACEBOS = placebos(11)


@pytest.fixture(scope="module")
def of_places():
    return causal_parts(LM, place_pairs(9, about="John"), PLACEBOS)


@pytest.fixture(scope="module")
def trained():
    """A model with both sides of pairs that change sentence 3."""
    lm = load("babi-qa1-3")
    pairs = draw_counterfactuals("qa1", "place", 20, 0, n_sentences=5)
    pairs = [pair for pair in pairs if pair.changed == (3,)][:3]
    return lm, read_sides(lm, pairs, list(PARTS.values()), is_placebo=False)


def wholes(result):
    return {name: [it.overall.at(i).value for i in (0, 1)] for name, it in result.pairs.items()}


def test_another_place_is_another_content_in_the_same_slot(of_places):
    expected = {"write": 1, "when": 0, "what": 1, "where": 0, "how": 0}
    for name, values in wholes(of_places).items():
        assert values == pytest.approx([expected[name]] * 2, abs=1e-4)
    slot = np.zeros((2, 1, N_SLOTS))
    slot[:, 0, SLOT_OF["John"]] = 1
    np.testing.assert_allclose(of_places.pairs["write"].cells.mean, slot, atol=1e-4)
    step = np.where(of_places.pairs["what"].cells.n == 0, np.nan, 0.0)
    step[:, 0, of_places.steps == 0] = 1
    np.testing.assert_allclose(of_places.pairs["what"].cells.mean, step, atol=1e-4)


def test_another_person_is_the_same_content_in_another_slot():
    result = causal_parts(LM, person_pairs(7), PLACEBOS)
    expected = {"write": 1, "when": 0, "what": 0, "where": 1, "how": 0}
    for name, values in wholes(result).items():
        if name != "when":  # the forget gate follows the routing
            assert values == pytest.approx([expected[name]] * 2, abs=1e-3)


def test_placebos_change_nothing(of_places):
    for it in of_places.placebos.values():
        for values in (it.cells.mean, it.overall.mean):
            np.testing.assert_allclose(np.nan_to_num(values), 0, atol=1e-4)


def test_a_sentence_away_from_the_changed_one_carries_nothing_but_there_must_be_one():
    pairs = place_pairs(15)
    result = causal_parts(LM, pairs, PLACEBOS, offset=-1)
    is_first = [pair.changed == (0,) for pair in pairs]
    assert result.pairs["write"].overall.n[0] == len(pairs) - sum(is_first)
    assert result.pairs["how"].overall.n[0] == len(pairs)
    assert result.pairs["write"].overall.at(0).value == 0
    with pytest.raises(
        ValueError, match="offset 5: none of the pairs has a sentence there; choose one nearer"
    ):
        causal_parts(LM, pairs, PLACEBOS, offset=5)


@pytest.mark.parametrize("name", list(PARTS))
@pytest.mark.parametrize("slot", [13, ALL])
def test_each_part_is_what_hooks_set_by_hand_do(trained, name, slot):
    (lm, sides), part, block, step, p = trained, PARTS[name], 2, 3, 1
    slot = ALL if part.slot_axis is None else slot
    at = torch.tensor([p]), torch.tensor([0 if part.of_question else step])
    patches = Patches(*at, torch.tensor([block]), torch.tensor([slot]))
    (result,) = patched_logits(lm, sides.original, sides.edited, part, patches)

    names = [point.format(block) for point in part.points]
    taken, _ = _slow(lm, sides.edited, p, step, names, part, edit=None)
    edit = {name: (taken[name], slot, part.slot_axis) for name in names}
    _, logits = _slow(lm, sides.original, p, step, names, part, edit=edit)
    torch.testing.assert_close(result, logits, atol=1e-4, rtol=0)
    assert not torch.equal(result, sides.original.logits[p])


def _slow(lm, side, p, step, names, part, *, edit):
    """One story sentence by sentence; what hooks saw in the sentence, or the question, and the logits."""
    seen = {}

    def hook(value, *, hook):
        seen[hook.name] = value.clone()
        if edit is None:
            return None
        new, slot, axis = edit[hook.name]
        if slot == ALL:
            return new
        value = value.clone()
        value.select(axis, slot).copy_(new.select(axis, slot))
        return value

    model, on = lm.model, [(name, hook) for name in names]
    bank = model.new_memory(1)
    with torch.no_grad():
        for s in range(side.ids.shape[1]):
            with model.hooks(fwd_hooks=on if s == step and not part.of_question else []):
                bank = model(side.ids[p, s][None, None], side.mask[p, s][None, None], bank).memory
        with model.hooks(fwd_hooks=on if part.of_question else []):
            logits = answer_logits(model, side.question_ids[p][None], side.question_mask[p][None], bank)
    return seen, logits[0]


def test_summary_table_and_figure_hold_all_parts_and_placebos(of_places):
    table, figure = of_places.table(), of_places.figure(direction="denoising")
    assert list(table["part"].unique()) == list(PARTS)
    n_cells = 4 * N_SLOTS + len(of_places.steps) + len(PARTS)
    assert len(table) == 2 * 2 * n_cells
    assert set(table["block"]) == {MEMORY_BLOCK, "all"}
    assert len(figure.data) == 2 * len(PARTS)
    np.testing.assert_array_equal(figure.data[5].z, of_places.placebos["what"].cells.mean[1])
    summary = of_places.summary()
    assert "what: candidates, noising: all at once 1 (" in summary
    assert f"strongest cell, noising: block {MEMORY_BLOCK}, step +0, 1 (" in summary
    assert summary.count("; placebos") == 3 * len(PARTS)
