"""The same code on a GPU: what it computes there is what it computes on the processor."""

import copy
from random import Random

import numpy as np
import pytest
import torch

from lm2core.babi.tasks import make_story
from lm2core.baselines.architectures import ARCHITECTURES, make_model
from lm2core.evaluation.stories import predict
from lm2core.model.config import LM2Config
from lm2core.reading.checkpoints import load
from lm2core.traces.recording import capture, capture_generation
from lm2core.training.recipe import Recipe
from lm2core.training.stories import train
from tests.conftest import POSITIONAL, SIZES, B, S, T, make_ids
from tests.conftest import make_model as make_lm2

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU in sight; runs where torch sees one"),
]
SETTINGS = [{}, POSITIONAL, {"memory_top_k": 2}, {"memory_gate_rank": 3, "memory_layers": [1]}]


def on_gpu(model):
    """A copy of the model there."""
    return copy.deepcopy(model).to("cuda")


@pytest.mark.parametrize("settings", SETTINGS)
def test_logits_loss_bank_and_gradients_are_the_processor_s(settings):
    cpu = make_lm2(**settings)
    gpu, ids = on_gpu(cpu), make_ids(B, S * T)
    here, there = cpu(ids, labels=ids), gpu(ids.cuda(), labels=ids.cuda())
    for name in ("logits", "loss", "memory"):
        torch.testing.assert_close(there[name].cpu(), here[name], rtol=1e-4, atol=1e-4)
    here.loss.backward()
    there.loss.backward()
    for (name, a), b in zip(cpu.named_parameters(), gpu.parameters(), strict=True):
        if a.grad is not None:
            torch.testing.assert_close(b.grad.cpu(), a.grad, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("settings", SETTINGS)
def test_nothing_waits_for_the_device(settings):
    """What the tests on the meta device prove, asked of the driver: a wait is an error here."""
    model, ids = on_gpu(make_lm2(**settings)), make_ids(B, S * T).cuda()

    def hot_path():
        model(ids, labels=ids, loss_only=True).loss.backward()
        with torch.no_grad():
            cache = model(ids[:, : T - 2], use_cache=True, logits_to_keep=1).past_key_values
            model(ids[:, :1], past_key_values=cache, use_cache=True)

    hot_path()  # libraries begin their work with a wait
    torch.cuda.set_sync_debug_mode("error")
    try:
        hot_path()
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_architecture_computes_the_same_there(architecture):
    cpu = make_model(LM2Config(**SIZES), architecture).eval()
    ids = make_ids(B, S, T)
    with torch.no_grad():
        torch.testing.assert_close(
            on_gpu(cpu)(ids.cuda()).logits.cpu(), cpu(ids).logits, rtol=1e-4, atol=1e-4
        )


@pytest.mark.parametrize("settings", SETTINGS[:2])
def test_a_padded_batch_is_continued_with_the_same_tokens(settings):
    cpu, ids = make_lm2(**settings), make_ids(B, 9)
    mask = torch.ones_like(ids)
    mask[0, :4] = 0
    options = {"max_new_tokens": 2 * T, "do_sample": False, "pad_token_id": 0}
    here = cpu.generate(ids, attention_mask=mask, **options)
    there = on_gpu(cpu).generate(ids.cuda(), attention_mask=mask.cuda(), **options)
    assert torch.equal(there.cpu(), here)


def test_a_trace_is_recorded_there_as_here():
    cpu, ids = make_lm2(), make_ids(B, S, T)
    here, there = capture(cpu, ids), capture(on_gpu(cpu), ids)
    assert here.arrays.keys() == there.arrays.keys()
    for name in here.arrays:
        np.testing.assert_allclose(there.arrays[name], here.arrays[name], rtol=1e-3, atol=1e-4)
    _, expected = capture_generation(on_gpu(cpu), ids[:, 0], max_new_tokens=5, do_sample=False)
    assert expected.n_segments == 2


def test_bf16_is_close_and_finite():
    cpu, ids = make_lm2(), make_ids(B, S * T)
    with torch.no_grad():
        half = on_gpu(cpu).to(torch.bfloat16)(ids.cuda()).logits.float().cpu()
        torch.testing.assert_close(half, cpu(ids).logits, rtol=0.1, atol=0.2)


def test_a_bank_on_the_processor_is_refused_with_what_to_do():
    gpu = on_gpu(make_lm2())
    with pytest.raises(ValueError, match=r"memory is on cpu, the model on cuda:0; move it"):
        gpu(make_ids(B, T).cuda(), memory=make_lm2().new_memory(B))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, when it compiles
@pytest.mark.parametrize("compiled", [False, True])
def test_a_run_there_leaves_a_model_that_opens_here(compiled, tmp_path):
    recipe = Recipe(n_steps=4, n_stories=4, save_every=2, log_every=1, compile=compiled)
    train(recipe, tmp_path / "run")
    assert load(str(tmp_path / "run")).model.device.type == "cpu"


def test_the_shipped_model_answers_the_same_there():
    lm = load("babi-qa1-3")
    stories = [make_story("qa2", Random(i)) for i in range(20)]
    here = predict(lm, stories)
    lm.model.to("cuda")
    assert predict(lm, stories) == here
