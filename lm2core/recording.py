"""Record what passes through hook points of a run into a Trace, within a memory budget."""

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.hooks import hook_names, match_hooks
from lm2core.model import LM2ForCausalLM
from lm2core.trace import Trace

MEMORY_HOOKS = ("mem.*", "hook_bank")
BYTES_PER_VALUE = 4  # a trace holds float32
_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


@dataclass(slots=True)
class Recorder:
    """Copies of recorded tensors on the CPU, one per segment, in the order the run made them."""

    config: Any
    steps: dict[str, list[NDArray[np.float32]]] = field(default_factory=lambda: defaultdict(list))

    def trace(self, tokens: list[list[list[str]]], info: Mapping[str, Any]) -> Trace:
        """What was recorded as a Trace; every array gets a segment axis after story, also for one segment."""
        known = hook_names(self.config)
        return Trace(
            arrays={name: np.stack(steps, axis=1) for name, steps in self.steps.items()},
            axes={name: ("story", "segment", *known[name].axes) for name in self.steps},
            tokens=tokens,
            info=info,
        )


@contextmanager
def recording(model: LM2ForCausalLM, names: Sequence[str]) -> Iterator[Recorder]:
    """Record every run of ``model`` inside the block, in evaluation mode and without gradients.

    The hooks are gone after the block, also after an exception. Compiled code would not call them, so the
    model runs eagerly inside.
    """
    recorder = Recorder(model.config)

    def keep(value: Tensor, *, hook: Any) -> None:
        recorder.steps[hook.name].append(value.detach().to("cpu", torch.float32, copy=True).numpy())

    was_training = model.training
    try:
        with (
            torch.no_grad(),
            torch.compiler.set_stance("force_eager"),
            model.eval().hooks(fwd_hooks=[(name, keep) for name in names]),
        ):
            yield recorder
    finally:
        model.train(was_training)


def capture(
    model: LM2ForCausalLM,
    segments: Tensor,
    attention_mask: Tensor | None = None,
    *,
    memory: Tensor | None = None,
    names: Sequence[str] = MEMORY_HOOKS,
    budget: str = "512MB",
    to: str | Path | None = None,
    tokens: list[list[list[str]]] | None = None,
    info: Mapping[str, Any] | None = None,
) -> Trace:
    """Run ``model`` over stories and return what passed through its hook points.

    Parameters
    ----------
    segments : (B,S,T) token ids, as ``encode_segments`` makes them
    attention_mask : (B,S,T), 0 for padding
    memory : (B,N,D), the bank to start from; None: a fresh one
    names : hook names or shell-style patterns, with or without ``blocks.{l}.``; see docs/HOOKS.md
    budget : how large the trace may become, e.g. "512MB"; counted before the run
    to : also save the trace there
    tokens : words of each segment, for pictures; the ids when None
    info : anything JSON that says where the run comes from

    Raises
    ------
    ValueError
        For an unknown name (with the nearest), nothing to record, or a trace larger than the budget.
    """
    if segments.ndim != 3:
        raise ValueError(f"segments must be (B,S,T) token ids, got shape {tuple(segments.shape)}")
    mask = torch.ones_like(segments) if attention_mask is None else attention_mask
    if (mask.diff(dim=-1) > 0).any():
        raise ValueError("segments must be right-padded, so that token t of a trace is word t of its segment")
    chosen = match_hooks(list(names), model.config)
    if not chosen:
        raise ValueError("no hook point was named; the default is names=" + repr(MEMORY_HOOKS))
    needed, allowed = trace_bytes(model, segments.shape, chosen), parse_bytes(budget)
    if needed > allowed:
        raise ValueError(
            f"the trace would take {needed / 1e6:.1f} MB, the budget is {budget}; "
            "name fewer hooks, use fewer stories or raise the budget"
        )
    with recording(model, chosen) as recorder:
        model(segments.to(model.device), mask.to(model.device), memory)
    words = tokens or [
        [[str(int(i)) for i in ids[keep != 0]] for ids, keep in zip(story, kept, strict=True)]
        for story, kept in zip(segments, mask, strict=True)
    ]
    trace = recorder.trace(words, {"config": model.config.to_diff_dict(), **(info or {})})
    if to is not None:
        trace.save(to)
    return trace


def trace_bytes(model: LM2ForCausalLM, shape: Sequence[int], names: Sequence[str]) -> int:
    """Size in bytes of a trace of ``names`` over ids of ``shape`` (B,S,T), known before the run."""
    config, known = model.config, hook_names(model.config)
    n_stories, n_segments, n_tokens = shape
    size = {
        "token": n_tokens,
        "source": n_tokens,
        "slot": config.memory_slots,
        "dim": config.hidden_size,
        "head": config.memory_heads,
        "attn_head": config.num_attention_heads,
    }
    values = sum(math.prod(size[axis] for axis in known[name].axes) for name in names)
    return values * n_stories * n_segments * BYTES_PER_VALUE


def parse_bytes(text: str) -> int:
    """Bytes of a size like "512MB" or "1.5 GB"."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB)\s*", text, re.IGNORECASE)
    if match is None:
        raise ValueError(f"budget {text!r} is not a size; write a number and KB, MB or GB, e.g. 512MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])
