"""The loss across segment boundaries, from logits or in chunks that never hold all of them.

Axes: see memory.py, plus S segments of a text, V vocabulary, and R tokens of all texts in a row.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

NOT_COUNTED = -100  # a label that the loss ignores
LOGITS_AT_ONCE = 2**26  # of one chunk; in bf16 a logit takes some 12 bytes, with its softmax and gradient
TILE = 128  # rows of a chunk are a multiple of it, as matrix products on GPUs like them

Head = Callable[[Tensor], Tensor]  # streams (...,D) to logits (...,V)


def logits_and_loss(
    head: Head, x: Tensor, mask: Tensor | None, labels: Tensor | None, *, vocab_size: int, loss_only: bool
) -> tuple[Tensor | None, Tensor | None]:
    """Logits of the streams ``x``, zero for padding, and the loss if there are labels.

    x : (B,T,D) or (B,S,T,D), or only the last columns or segments of them
    loss_only : no logits; the loss is computed in chunks of ``LOGITS_AT_ONCE``
    """
    if loss_only and labels is not None:
        n_rows = max(1, LOGITS_AT_ONCE // vocab_size // TILE) * TILE
        return None, chunked_loss(head, x, labels, mask, n_rows=n_rows)
    logits = head(x)
    if mask is not None:
        logits = logits.masked_fill((mask[:, -x.shape[1] :] == 0)[..., None], 0.0)
    return logits, None if labels is None else next_token_loss(logits, labels, mask)


def next_token_loss(logits: Tensor, labels: Tensor, mask: Tensor | None) -> Tensor:
    """Mean cross entropy (nats) of each real token given the ones before it, across segment boundaries.

    0, with a gradient of 0, if no label is left to predict.
    """
    wanted_R = next_labels(labels, mask).flatten()
    logits_RV = _tokens_first(logits.flatten(1, -2), mask)[:, :-1].flatten(0, 1)
    return _mean(_summed(logits_RV, wanted_R), wanted_R)


def chunked_loss(head: Head, x: Tensor, labels: Tensor, mask: Tensor | None, *, n_rows: int) -> Tensor:
    """``next_token_loss`` of ``head(x)``, holding the logits of ``n_rows`` tokens at a time.

    Each chunk's logits are computed a second time in the backward pass, unless there is only one. (torch's
    ``linear_cross_entropy`` needs no second time, but returns the loss of bfloat16 in bfloat16.)
    """
    wanted_R = next_labels(labels, mask).flatten()
    x_RD = _tokens_first(x.flatten(1, -2), mask)[:, :-1].flatten(0, 1)
    if len(x_RD) <= n_rows:
        return _mean(_summed(head(x_RD), wanted_R), wanted_R)

    def of_chunk(x_RD: Tensor, wanted_R: Tensor) -> Tensor:
        return _summed(head(x_RD), wanted_R)

    chunks = zip(x_RD.split(n_rows), wanted_R.split(n_rows), strict=True)
    parts = [checkpoint(of_chunk, *chunk, use_reentrant=False, preserve_rng_state=False) for chunk in chunks]
    return _mean(sum(parts[1:], start=parts[0]), wanted_R)


def next_labels(labels: Tensor, mask: Tensor | None) -> Tensor:
    """What is to be predicted after each column but the last, (B,T-1): a text's tokens, then its padding."""
    labels_BT = labels.flatten(1).long()
    if mask is not None:
        labels_BT = labels_BT.masked_fill(mask.flatten(1) == 0, NOT_COUNTED)
        labels_BT = labels_BT.gather(1, _order(mask))
    return labels_BT[:, 1:]


def _summed(logits_RV: Tensor, wanted_R: Tensor) -> Tensor:
    return F.cross_entropy(logits_RV.float(), wanted_R, ignore_index=NOT_COUNTED, reduction="sum")


def _mean(total: Tensor, wanted_R: Tensor) -> Tensor:
    return total / (wanted_R != NOT_COUNTED).sum().clamp_min(1)


def _tokens_first(x_BTD: Tensor, mask: Tensor | None) -> Tensor:
    """The rows of each text with those of its padding behind those of its tokens."""
    if mask is None:
        return x_BTD
    return x_BTD.gather(1, _order(mask)[..., None].expand_as(x_BTD))


def _order(mask: Tensor) -> Tensor:
    """Columns (B,T) of each text in an order that moves padding behind its tokens."""
    return (mask.flatten(1) == 0).to(torch.int8).argsort(dim=1, stable=True)
