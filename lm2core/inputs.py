"""What a model refuses before it runs: each fault in one line, with what was got and what is allowed."""

import torch
from torch import Tensor

from lm2core.config import LM2Config


def check_inputs(
    config: LM2Config, ids: Tensor, mask: Tensor | None, memory: Tensor | None, *, like: Tensor
) -> None:
    """Refuse what an LM2 cannot run; ``like`` is a weight, for the model's dtype and device.

    Raises
    ------
    ValueError
        As ``check_texts`` and ``check_bank``; for segments that positional routing cannot pair with slots.
    """
    check_texts(ids, mask, vocab_size=config.vocab_size)
    if memory is not None:
        check_bank(memory, (len(ids), config.memory_slots, config.hidden_size), like=like)
    n_slots, length = config.memory_slots, ids.shape[-1]
    if config.routing == "positional" and ids.ndim == 3 and length != n_slots:
        raise ValueError(
            f"positional routing needs segments of {n_slots} tokens, one a slot, got {length}; pad them"
        )


def check_texts(ids: Tensor, mask: Tensor | None, *, vocab_size: int) -> None:
    """Refuse ids or a mask of the wrong shape or kind, and ids outside the vocabulary, with a ValueError."""
    if ids.ndim not in (2, 3) or 0 in ids.shape:
        raise ValueError(
            f"input_ids must be (B,T) or (B,S,T) with at least one token, got {tuple(ids.shape)}"
        )
    if ids.dtype not in (torch.long, torch.int32):
        raise ValueError(f"input_ids must be whole numbers (torch.long), got {ids.dtype}")
    if mask is not None and mask.shape != ids.shape:
        raise ValueError(f"attention_mask {tuple(mask.shape)} must have input_ids' shape {tuple(ids.shape)}")
    low, high = (int(x) for x in ids.aminmax())
    if low < 0 or high >= vocab_size:
        raise ValueError(
            f"token ids must be in 0..{vocab_size - 1}, got {low}..{high}; use the model's tokenizer"
        )


def check_bank(memory: Tensor, shape: tuple[int, int, int], *, like: Tensor) -> None:
    """Refuse a bank that is not of ``shape`` (B,N,D), or not of the model's dtype and device."""
    if memory.shape != shape:
        raise ValueError(f"memory must be {shape} (B,N,D), got {tuple(memory.shape)}")
    if memory.dtype != like.dtype:
        raise ValueError(
            f"memory is {memory.dtype}, the model {like.dtype}; convert it: memory.to(model.dtype)"
        )
    if memory.device != like.device:
        raise ValueError(f"memory is on {memory.device}, the model on {like.device}; move it: memory.to(...)")
