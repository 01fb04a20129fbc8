"""Compiled segments: what torch.compile makes of a segment is what it was."""

import shutil

import pytest
import torch

from tests.conftest import S, T, make_ids, make_model


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler: g++")
@pytest.mark.filterwarnings("ignore")  # torch's own, when it compiles
def test_a_compiled_model_has_the_loss_and_the_gradients_of_the_plain_one():
    """At two lengths: sizes are open, so the second is not compiled anew."""
    plain, compiled = make_model().train(), make_model().train()
    compiled.compile_segments()
    for ids in (make_ids(2, S * T), make_ids(3, 2 * T - 1)):
        losses = [model(ids, labels=ids).loss for model in (plain, compiled)]
        for loss in losses:
            loss.backward()
        torch.testing.assert_close(losses[1], losses[0], rtol=0, atol=1e-5)
    for (name, ours), theirs in zip(compiled.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-5, msg=name)
