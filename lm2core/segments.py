"""Texts of any length to segments and back, and the next-token loss across segment borders.

Axes: see memory.py, plus S segments of a text and V vocabulary.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Segments:
    """A batch of texts cut into segments, and the way back to the shape it came in."""

    ids_BST: Tensor
    mask_BST: Tensor
    order_BT: Tensor | None = None  # where each column of the packed text came from

    @classmethod
    def of(cls, ids: Tensor, mask: Tensor, length: int) -> "Segments":
        """Given segments stay; a flat text loses its padding, is cut every ``length`` tokens."""
        if ids.ndim == 3:
            return cls(ids, mask)
        # Real tokens first: where a text is padded must not move its segment borders.
        order_BT = (mask == 0).to(torch.int8).argsort(dim=1, stable=True)
        ids_BT, mask_BT = ids.gather(1, order_BT), mask.gather(1, order_BT)
        size = min(length, ids.shape[1])
        pad = math.ceil(ids.shape[1] / size) * size - ids.shape[1]
        ids_BST, mask_BST = (F.pad(x, (0, pad)).unflatten(1, (-1, size)) for x in (ids_BT, mask_BT))
        return cls(ids_BST, mask_BST, order_BT)

    def restore(self, logits_BSTV: Tensor) -> Tensor:
        """Logits in the shape of the ids that came in."""
        if self.order_BT is None:
            return logits_BSTV
        flat_BTV = logits_BSTV.flatten(1, 2)[:, : self.order_BT.shape[1]]
        return flat_BTV.gather(1, self.order_BT.argsort(1)[..., None].expand_as(flat_BTV))


def next_token_loss(logits: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """Mean cross entropy (nats) of each real token given the ones before it, across segment borders."""
    mask_BT = mask.flatten(1)
    order_BT = (mask_BT == 0).to(torch.int8).argsort(dim=1, stable=True)
    logits_BTV = logits.flatten(1, -2)
    logits_BTV = logits_BTV.gather(1, order_BT[..., None].expand_as(logits_BTV))
    labels_BT = labels.flatten(1).masked_fill(mask_BT == 0, -100).gather(1, order_BT)
    return F.cross_entropy(logits_BTV[:, :-1].flatten(0, 1).float(), labels_BT[:, 1:].flatten())
