"""Hidden states and attention weights of a forward pass, as transformers returns them on request.

They are recorded at the hook points and put back into the shape of the texts. Axes: see memory.py and
segments.py, plus H heads of self-attention and J tokens in view.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.errors import UserError
from lm2core.model.output import LM2Output
from lm2core.model.segments import Segments

if TYPE_CHECKING:
    from lm2core.model.hooked import HookedModel


class Internals:
    """What the blocks of one forward pass did, if the caller asked for it."""

    def __init__(self, model: "HookedModel", *, hidden_states: bool, attentions: bool) -> None:
        n_blocks = model.config.num_hidden_layers
        self.model = model
        self.streams = [f"blocks.{block}.hook_resid_pre" for block in range(n_blocks)]
        self.streams = [*self.streams, f"blocks.{n_blocks - 1}.hook_resid_post"] if hidden_states else []
        self.patterns = [f"blocks.{i}.attn.hook_pattern" for i in range(n_blocks)] if attentions else []
        self.values: dict[str, list[Tensor]] = {name: [] for name in (*self.streams, *self.patterns)}

    @classmethod
    def of(cls, model: "HookedModel", hidden_states: bool | None, attentions: bool | None) -> "Internals":
        """What is asked for; None: what the config says."""
        config = model.config
        if hidden_states is None:
            hidden_states = config.output_hidden_states
        if attentions is None:
            attentions = config.output_attentions
        if attentions and getattr(config, "attention_window", 0):
            raise UserError(
                "output_attentions is not given with an attention_window; read the hook points "
                "attn.hook_pattern with model.hooks: their first columns are the window"
            )
        return cls(model, hidden_states=bool(hidden_states), attentions=bool(attentions))

    @contextmanager
    def recorded(self) -> Iterator[None]:
        """Record what runs inside, if anything was asked for."""
        if not self.values:
            yield
            return
        with self.model.hooks([(name, self._record) for name in self.values]):
            yield

    def _record(self, value: Tensor, *, hook: Any) -> None:
        self.values[hook.name].append(value)

    def complete(self, output: LM2Output, cut: Segments | None = None) -> None:
        """Add what was recorded to ``output``, in the shape of the texts that were ``cut`` into segments.

        ``cut`` None: tokens that continued a cache, which are in order.
        """
        if any(not values for values in self.values.values()):
            raise UserError("compiled segments record nothing; load the model again and do not compile it")
        if self.streams:
            streams = [_streams(self.values[name], cut) for name in self.streams]
            output.hidden_states = (*streams[:-1], self.model.model.norm(streams[-1]))
        if self.patterns:
            output.attentions = tuple(_patterns(self.values[name], cut) for name in self.patterns)


def _streams(pieces: Sequence[Tensor], cut: Segments | None) -> Tensor:
    """The streams (B,T,D) of a text's pieces in its own shape."""
    return torch.cat(list(pieces), dim=1) if cut is None else cut.restore(pieces)


def _patterns(pieces: Sequence[Tensor], cut: Segments | None) -> Tensor:
    """The attention weights (B,H,T,J) of a text's pieces in its own shape."""
    if cut is None:
        n_keys = max(piece.shape[-1] for piece in pieces)
        return torch.cat([F.pad(piece, (n_keys - piece.shape[-1], 0)) for piece in pieces], dim=2)
    return cut.restore_patterns(pieces)
