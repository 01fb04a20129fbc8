"""Steps that are not finite: no step makes a weight NaN."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from lm2core.training.text import TextTrainer, train_text
from lm2core.training.trainer import MAX_SKIPPED_IN_A_ROW
from tests.lm2core.training.text.runs import SHORT, lines

# A planted fault, as (loss) -> loss with that fault: a NaN, and an infinity whose gradient is finite.
FAULTS = {"nan": lambda loss: loss * math.nan, "inf": lambda loss: loss + math.inf}


def plant(monkeypatch, bad_steps, fault, *, part: int = 0) -> list[dict]:
    """Plant a fault in these steps (from 1); the list gets weights and optimizer state before each step."""
    seen: list[dict] = []
    real_loss, real_clip = TextTrainer.compute_loss, TextTrainer._clip_grad_norm

    def compute_loss(self, model, inputs, *args, **kwargs):
        loss = real_loss(self, model, inputs, *args, **kwargs)
        if not model.training:
            return loss
        self.n_parts = getattr(self, "n_parts", -1) + 1
        is_part = self.n_parts % self.args.gradient_accumulation_steps == part
        return fault(loss) if is_part and self.state.global_step + 1 in bad_steps else loss

    def clip(self, model):
        state = self.optimizer.state_dict()["state"]
        flat = {f"{i}.{k}": v.clone() for i, kinds in state.items() for k, v in kinds.items()}
        seen.append({n: p.detach().clone() for n, p in model.named_parameters()} | flat)
        return real_clip(self, model)

    monkeypatch.setattr(TextTrainer, "compute_loss", compute_loss)
    monkeypatch.setattr(TextTrainer, "_clip_grad_norm", clip)
    return seen


def unchanged(before: dict, after: dict) -> bool:
    return before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("part", [0, 1])
def test_a_step_that_is_not_finite_changes_nothing_and_is_counted(text, tmp_path, monkeypatch, fault, part):
    seen = plant(monkeypatch, {3}, FAULTS[fault], part=part)
    model = train_text(replace(SHORT, text=text, batch_size=2, accumulate=2), tmp_path / "run")
    changed = [not unchanged(before, after) for before, after in zip(seen, seen[1:], strict=False)]
    assert changed == [True, True, False, True, True]
    assert lines(tmp_path / "run", "n_skipped") == [0, 0, 1, 1, 1, 1]
    assert [loss is None for loss in lines(tmp_path / "run")] == [False, False, True, False, False, False]
    assert all(p.isfinite().all() for p in model.parameters())


def test_a_gradient_that_is_not_finite_is_skipped_though_the_loss_is_fine(text, tmp_path, monkeypatch):
    def with_bad_gradient(loss):
        return loss + (loss - loss.detach()).sqrt()  # adds 0, with an infinite slope

    seen = plant(monkeypatch, {2}, with_bad_gradient)
    train_text(replace(SHORT, text=text), tmp_path / "run")
    assert unchanged(seen[1], seen[2])
    assert lines(tmp_path / "run", "n_skipped") == [0, 1, 1, 1, 1, 1]


def test_a_skipped_step_is_left_out_of_the_logged_loss(text, tmp_path, monkeypatch):
    plant(monkeypatch, {1}, FAULTS["nan"])
    train_text(replace(SHORT, text=text, n_steps=3), tmp_path / "each")
    train_text(replace(SHORT, text=text, n_steps=3, log_every=3), tmp_path / "mean")
    _, second, third = lines(tmp_path / "each")
    assert lines(tmp_path / "mean") == [pytest.approx((second + third) / 2)]


def test_ten_steps_in_a_row_stop_training_and_keep_the_newest_checkpoint(text, tmp_path, monkeypatch):
    recipe = replace(SHORT, text=text, n_steps=20)
    last = 3 + MAX_SKIPPED_IN_A_ROW
    with monkeypatch.context() as patch:
        plant(patch, set(range(4, 20)), FAULTS["nan"])
        expected = (
            rf"stopped at step {last}: 10 steps in a row were not finite \(loss nan, gradient norm nan\); .*"
        )
        with pytest.raises(
            ValueError, match=expected + rf"newest good checkpoint is .*checkpoint-{last - 1}; "
        ):
            train_text(recipe, tmp_path / "run")
    remaining = load_file(tmp_path / "run" / f"checkpoint-{last - 1}" / "model.safetensors")
    assert all(x.isfinite().all() for x in remaining.values())
    # Nothing is planted any more: the run goes on from there, and still counts what it skipped.
    model = train_text(recipe, tmp_path / "run", resume=True)
    assert lines(tmp_path / "run", "n_skipped")[-1] == last - 1 - 3
    assert all(p.isfinite().all() for p in model.parameters())


def test_nine_in_a_row_and_one_good_step_go_on(text, tmp_path, monkeypatch):
    plant(monkeypatch, set(range(1, 20)) - {10}, FAULTS["nan"])
    train_text(replace(SHORT, text=text, n_steps=19, save_every=50), tmp_path / "run")
    assert lines(tmp_path / "run", "n_skipped")[-1] == 18
