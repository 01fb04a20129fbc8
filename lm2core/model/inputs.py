"""Checks of a model's inputs before it runs; errors are one line with what was given and what is allowed.

Types, shapes and devices are known without waiting for a GPU, values are not. So values are read only on the
processor and outside of compiled code; elsewhere they are asserted where they are: see ``_check_values``.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2core.model.config import LM2Config
from lm2core.model.loss import NOT_COUNTED
from lm2core.model.open_segment import OpenSegment


def check_inputs(
    config: LM2Config,
    ids: Tensor,
    mask: Tensor | None,
    memory: Tensor | None,
    labels: Tensor | None,
    *,
    are_ids: bool,
    like: Tensor,
) -> None:
    """Refuse inputs that an LM2 cannot run; ``like`` is a weight, for the model's dtype and device.

    ``are_ids`` False: ``ids`` are numbers of columns, in the shape of a text that ``check_given`` has seen.

    Raises
    ------
    UserError
        As ``check_texts`` and ``check_bank``; for segments that positional routing cannot pair with slots.
    """
    if are_ids:
        check_ids(ids, vocab_size=config.vocab_size)
    check_beside(ids, mask, labels, vocab_size=config.vocab_size)
    if memory is not None:
        check_bank(memory, (len(ids), config.memory_slots, config.bank_width), like=like)
    n_slots, length = config.memory_slots, ids.shape[-1]
    if config.routing == "positional" and ids.ndim == 3 and length != n_slots:
        raise UserError(
            f"positional routing needs segments of {n_slots} tokens, one per slot, got {length}; pad them"
        )


def check_given(
    config: LM2Config,
    input_ids: Tensor | None,
    embeds: Tensor | None,
    positions: Tensor | None,
    *,
    like: Tensor,
) -> None:
    """Refuse embeddings or positions that do not fit the model or the text, with a UserError."""
    if input_ids is not None:
        check_ids(input_ids, vocab_size=config.vocab_size)
        shape = input_ids.shape
    else:
        if not isinstance(embeds, Tensor) or embeds.ndim not in (3, 4) or 0 in embeds.shape:
            raise UserError(
                f"inputs_embeds must be a tensor (B,T,D) or (B,S,T,D) with at least one token, got "
                f"{tuple(embeds.shape) if isinstance(embeds, Tensor) else type(embeds).__name__}"
            )
        if embeds.shape[-1] != config.hidden_size or embeds.dtype != like.dtype:
            raise UserError(
                f"inputs_embeds must be {config.hidden_size} wide and {like.dtype}, got "
                f"{embeds.shape[-1]} and {embeds.dtype}"
            )
        shape = embeds.shape[:-1]
    if positions is None:
        return
    if not isinstance(positions, Tensor) or positions.shape not in (shape, (1, *shape[1:])):
        got = tuple(positions.shape) if isinstance(positions, Tensor) else type(positions).__name__
        raise UserError(f"position_ids must be a tensor of the text's shape {tuple(shape)}, got {got}")


def check_labels(labels: Tensor, ids: Tensor, *, vocab_size: int) -> None:
    """Refuse labels of a wrong type or shape, or outside the vocabulary."""
    if not isinstance(labels, Tensor) or labels.dtype not in (torch.long, torch.int32):
        raise UserError(f"labels must be a tensor of whole numbers (torch.long), got {_kind(labels)}")
    if labels.shape != ids.shape:
        raise UserError(f"labels must have input_ids' shape {tuple(ids.shape)}, got {tuple(labels.shape)}")
    _check_values(
        _in_vocabulary(labels, vocab_size) | (labels == NOT_COUNTED),
        f"labels must be in 0..{vocab_size - 1}, or {NOT_COUNTED} to be ignored",
        lambda: f", got {_range(labels[labels != NOT_COUNTED])}",
    )


def check_parts(
    labels: Tensor | None, *, logits_to_keep: int, backprop_segments: int = 0, loss_only: bool = False
) -> None:
    """Refuse negative counts, and a loss without labels or the logits it needs, with a UserError."""
    if logits_to_keep < 0 or backprop_segments < 0:
        raise UserError(f"{logits_to_keep=} and {backprop_segments=} must be 0 (all) or more")
    if logits_to_keep and labels is not None:
        raise UserError(
            f"a loss needs the logits of all tokens, but {logits_to_keep=} computes only the last ones; "
            "omit it or the labels"
        )
    if loss_only and labels is None:
        raise UserError("loss_only needs labels, e.g. labels=input_ids")


def check_last_token(ids: Tensor, labels: Tensor | None, *, write_memory: bool, is_bare: bool = True) -> None:
    """Refuse to run only the last token of what is more than a question, with a UserError.

    ``is_bare``: no cache is used or asked for, and no hidden states or attention weights.
    """
    if ids.ndim != 3 or ids.shape[1] != 1 or labels is not None or write_memory or not is_bare:
        raise UserError(
            f"last_token_only needs input_ids (B,1,T) and write_memory=False, no labels, no cache and no "
            f"hidden states or attentions; got input_ids {tuple(ids.shape)} and {write_memory=}"
        )


def check_cache(cache: Any, ids: Tensor, memory: Tensor | None, labels: Tensor | None) -> None:
    """Refuse a cache that does not belong to ``ids``, and arguments that cannot be combined with one."""
    if not isinstance(cache, OpenSegment):
        raise UserError(
            f"past_key_values is a {type(cache).__name__}; give the one that this model returned "
            "with use_cache=True"
        )
    if len(cache.bank_BND) != len(ids):
        raise UserError(
            f"past_key_values has {len(cache.bank_BND)} texts, but input_ids {len(ids)}; they must agree"
        )
    if ids.ndim != 2:
        raise UserError(f"with past_key_values input_ids must be (B,T), got {tuple(ids.shape)}")
    if memory is not None:
        raise UserError("the bank is in past_key_values; omit memory, or start without a cache")
    if labels is not None:
        raise UserError("a loss needs the whole text; run it without past_key_values")


def check_prompt(ids: Tensor | None, mask: Tensor | None, *, vocab_size: int) -> None:
    """Refuse a prompt with ids outside the vocabulary, or with padding at its end; reads both on any device.

    ``ids`` None: the prompt is given as embeddings.
    """
    if ids is not None and ids.numel() and not _in_vocabulary(ids, vocab_size).all():
        raise UserError(_ids_allowed(vocab_size) + _ids_got(ids))
    if mask is not None and (mask[:, -1] == 0).any():
        raise UserError(
            "a prompt ends with padding and cannot be continued; pad on the left: "
            "tokenizer.padding_side = 'left'"
        )


def check_texts(ids: Tensor, mask: Tensor | None, labels: Tensor | None, *, vocab_size: int) -> None:
    """Refuse ids, a mask or labels of a wrong shape or type, or outside the vocabulary, with a UserError."""
    check_ids(ids, vocab_size=vocab_size)
    check_beside(ids, mask, labels, vocab_size=vocab_size)


def check_ids(ids: Tensor, *, vocab_size: int) -> None:
    """Refuse ids of a wrong shape or type, or outside the vocabulary."""
    if not isinstance(ids, Tensor):
        raise UserError(
            f"input_ids must be a tensor, got {type(ids).__name__}; pad texts of different lengths with "
            "tokenizer(texts, padding=True, return_tensors='pt')"
        )
    if ids.ndim not in (2, 3) or 0 in ids.shape:
        raise UserError(f"input_ids must be (B,T) or (B,S,T) with at least one token, got {tuple(ids.shape)}")
    if ids.dtype not in (torch.long, torch.int32):
        raise UserError(f"input_ids must be whole numbers (torch.long), got {ids.dtype}")
    _check_values(_in_vocabulary(ids, vocab_size), _ids_allowed(vocab_size), lambda: _ids_got(ids))


def check_beside(ids: Tensor, mask: Tensor | None, labels: Tensor | None, *, vocab_size: int) -> None:
    """Refuse a mask or labels that do not fit a text of ``ids``' shape."""
    if mask is not None and (not isinstance(mask, Tensor) or mask.shape != ids.shape):
        got = tuple(mask.shape) if isinstance(mask, Tensor) else type(mask).__name__
        raise UserError(f"attention_mask must be a tensor of input_ids' shape {tuple(ids.shape)}, got {got}")
    if labels is not None:
        check_labels(labels, ids, vocab_size=vocab_size)


def check_bank(memory: Tensor, shape: tuple[int, int, int], *, like: Tensor) -> None:
    """Refuse a bank that does not have ``shape`` (B,N,D) and the model's dtype and device."""
    if not isinstance(memory, Tensor):
        raise UserError(f"memory must be a tensor {shape} (B,N,D), got {type(memory).__name__}")
    if memory.shape != shape:
        raise UserError(f"memory must be {shape} (B,N,D), got {tuple(memory.shape)}")
    if memory.dtype != like.dtype:
        raise UserError(
            f"memory is {memory.dtype}, but the model is {like.dtype}; convert it: memory.to(model.dtype)"
        )
    if memory.device != like.device:
        raise UserError(
            f"memory is on {memory.device}, but the model on {like.device}; move it: memory.to(model.device)"
        )


def _kind(value: Any) -> str:
    """The type of ``value`` in a word: the dtype of a tensor, else the class."""
    return str(value.dtype) if isinstance(value, Tensor) else type(value).__name__


def _check_values(is_right: Tensor, allowed: str, got: Callable[[], str]) -> None:
    """Refuse values that are not all right: with ``allowed`` and what was got, where they can be read.

    On a GPU the assertion is one of the kernels that are queued: it stops the process with ``allowed``, and
    costs no wait. Other accelerators have no such kernel, so they are waited for.
    """
    if is_right.device.type in ("cuda", "meta") or torch.compiler.is_compiling():
        torch._assert_async(is_right.all(), allowed)
    elif not is_right.all():
        raise UserError(allowed + got())


def _in_vocabulary(ids: Tensor, vocab_size: int) -> Tensor:
    return (ids >= 0) & (ids < vocab_size)


def _ids_allowed(vocab_size: int) -> str:
    return f"token ids must be in 0..{vocab_size - 1}"


def _ids_got(ids: Tensor) -> str:
    return f", got {_range(ids)}; use the model's tokenizer"


def _range(values: Tensor) -> str:
    """The smallest and the largest of some values."""
    return f"{int(values.min())}..{int(values.max())}"
