"""What the benchmarks share: timing runs in turn."""

import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM

Run = Callable[[], object]
Model = LM2ForCausalLM | LlamaForCausalLM


def medians(runs: dict[str, Run], repeats: int) -> dict[str, float]:
    """Median seconds of each run, taken in turn; the first round warms up.

    Without a GPU these are seconds of the processor, so that other work on the machine is not counted; on
    one thread (OMP_NUM_THREADS=1) with nothing beside it they are those of the clock.
    """
    on_gpu = torch.accelerator.is_available()
    clock = time.perf_counter if on_gpu else time.process_time
    times: dict[str, list[float]] = {name: [] for name in runs}
    for i in range(repeats + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if on_gpu:
                torch.accelerator.synchronize()  # a GPU is still working when the call returns
            if i:
                times[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def training_step(model: Model, ids: Tensor, *, bf16: bool = False) -> Run:
    """Forward, backward and an AdamW step; ``bf16`` is autocast, as in training."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    options = {"loss_only": True} if isinstance(model, LM2ForCausalLM) else {}  # as in training

    def run() -> None:
        optimizer.zero_grad()
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=bf16):
            loss = model(input_ids=ids, labels=ids, **options).loss
        loss.backward()
        optimizer.step()

    return run


@torch.no_grad()
def forward(model: Model, ids: Tensor) -> object:
    """A forward pass without gradients."""
    return model(input_ids=ids)


def generation(model: Model, ids: Tensor, n_new: int = 64) -> Run:
    """Greedy generation of ``n_new`` tokens after a prompt of half a segment."""
    prompt = ids[:1, : ids.shape[1] // 2]
    mask = torch.ones_like(prompt)
    return lambda: model.generate(
        prompt, attention_mask=mask, max_new_tokens=n_new, do_sample=False, pad_token_id=0
    )
