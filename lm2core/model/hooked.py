"""The model as TransformerLens sees it: named hook points, a config under its names, runs with a cache."""

import warnings
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor
from transformer_lens import HookedRootModule

from lm2core.errors import UserError
from lm2core.traces.hooks import nearest_hooks

NamedHook = tuple[str | Callable[[str], bool], Callable[..., Any]]


@dataclass(frozen=True, slots=True)
class LensConfig:
    """``model.config`` under the names that tools for TransformerLens read; ``config`` is the truth.

    n_ctx : tokens that positions are made for; attention itself sees one segment
    """

    n_layers: int
    n_heads: int
    n_key_value_heads: int
    d_model: int
    d_head: int
    d_mlp: int
    d_vocab: int
    n_ctx: int
    act_fn: str
    eps: float
    model_name: str
    device: torch.device
    dtype: torch.dtype


class HookedModel(HookedRootModule):
    """TransformerLens' methods, which warn of traps that are silent there."""

    config: Any
    device: torch.device
    dtype: torch.dtype

    @property
    def cfg(self) -> LensConfig:
        """Sizes under TransformerLens' names, as the model is now."""
        config = self.config
        return LensConfig(
            n_layers=config.num_hidden_layers,
            n_heads=config.num_attention_heads,
            n_key_value_heads=config.num_key_value_heads,
            d_model=config.hidden_size,
            d_head=config.head_dim,
            d_mlp=config.intermediate_size,
            d_vocab=config.vocab_size,
            n_ctx=config.max_position_embeddings,
            act_fn=config.hidden_act,
            eps=config.rms_norm_eps,
            model_name=config.model_type,
            device=self.device,
            dtype=self.dtype,
        )

    def setup(self) -> None:
        """Name hook points ``blocks.{l}.attn|mem...`` as TransformerLens does; weights keep Llama's names."""
        super().setup()
        for table in (self.mod_dict, self.hook_dict):
            for name in list(table):
                short = name.replace("model.layers.", "blocks.").replace(".self_attn", ".attn")
                table[short] = table.pop(name)
                table[short].name = short

    def hooks(
        self,
        fwd_hooks: Sequence[NamedHook] = (),
        bwd_hooks: Sequence[NamedHook] = (),
        reset_hooks_end: bool = True,
        clear_contexts: bool = False,
    ) -> AbstractContextManager[Any]:
        """Hooks that are gone after the ``with`` block; ``run_with_hooks`` takes them from here.

        A UserError for a name that is no hook point, with the nearest.
        """
        self._check_names([name for name, _ in (*fwd_hooks, *bwd_hooks) if isinstance(name, str)])
        return super().hooks(list(fwd_hooks), list(bwd_hooks), reset_hooks_end, clear_contexts)

    def run_with_cache(
        self,
        *args: Any,
        names_filter: str | Collection[str] | Callable[[str], bool] | None = None,
        incl_bwd: bool = False,
        **options: Any,
    ) -> tuple[Any, dict[str, Tensor]]:
        """The output, and each hook point's value by name; what TransformerLens' own method takes.

        A hook point that is met once a segment keeps its last value, and of gradients the first segment's;
        ``capture`` has an axis for them. A warning says so once.

        incl_bwd : also the gradient of the loss, under ``name + "_grad"``; needs ``labels``

        Raises
        ------
        UserError
            For a name that is no hook point, with the nearest; for gradients without ``labels``.
        """
        if names_filter is not None and not callable(names_filter):
            names_filter = [names_filter] if isinstance(names_filter, str) else list(names_filter)
            self._check_names(names_filter)
        n_runs = 0  # of the first block

        def count(value: Tensor, *, hook: Any) -> None:
            nonlocal n_runs
            n_runs += 1

        with self.hooks([("blocks.0.hook_resid_pre", count)]):
            result = super().run_with_cache(*args, names_filter=names_filter, incl_bwd=incl_bwd, **options)
        if n_runs > 1:
            warn_of_last_segment()
        return result

    def _check_names(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.hook_dict:
                near = nearest_hooks(name, self.hook_dict)
                raise UserError(f"no hook point {name!r}; nearest: {near}; all: docs/HOOKS.md")


@cache  # once in a process
def warn_of_last_segment() -> None:
    """Say that a cache has one segment of several."""
    warnings.warn(
        "run_with_cache keeps one value a hook point: of several segments the last one's; "
        "lm2core.capture(model, segments) records all of them",
        stacklevel=3,
    )
