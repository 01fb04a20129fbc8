"""How a ``TransformerBridge`` of TransformerLens opens an LM2: a map of its parts, found by an entry point.

A bridge adds ``to_tokens``, ``to_string`` and an ``ActivationCache``; the model computes what it did, and its
own hook points keep their names. Not here: TransformerLens' names for weights (``W_Q``, ...), the folding of
norms, and the hook points of a memory's path (``memory_path_block``).
"""

from typing import Any

from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformer_lens.model_bridge.architecture_adapter import ArchitectureAdapter
from transformer_lens.model_bridge.generalized_components import (
    EmbeddingBridge,
    RMSNormalizationBridge,
    UnembeddingBridge,
)
from transformer_lens.model_bridge.generalized_components.base import GeneralizedComponent

from lm2core.model.block import BlockOutput


class PartBridge(GeneralizedComponent):
    """A part of the model, with its own hook points under their own names."""

    def set_original_component(self, original_component: nn.Module) -> None:
        """Wrap a part and take over its hook points."""
        super().set_original_component(original_component)
        for name, module in original_component.named_children():
            if isinstance(module, HookPoint):
                setattr(self, name, module)


class MemoryBridge(PartBridge):
    """A block's memory. Its methods are called, not itself, so that it has no input or output of its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        del self.hook_in, self.hook_out
        self._hook_registry.clear()


class BlockBridge(PartBridge):
    """One of the decoder's blocks. Its output keeps its type, whose fields the decoder reads by name."""

    is_list_item = True

    def forward(self, x_BTD: Tensor, *args: Any, **options: Any) -> BlockOutput:
        """As the block, with the stream before and after it at hook points."""
        output = self.original_component(self.hook_in(x_BTD), *args, **options)
        return output._replace(x_BTD=self.hook_out(output.x_BTD))


class LM2Adapter(ArchitectureAdapter):
    """The parts of an LM2 under TransformerLens' names."""

    def __init__(self, cfg: Any) -> None:
        super().__init__(cfg)
        self._set_rms_rotary_defaults()
        parts = {
            "attn": PartBridge(name="self_attn"),
            "mem": MemoryBridge(name="mem", optional=True),
            "mlp": PartBridge(name="mlp"),
        }
        self.component_mapping = {
            "embed": EmbeddingBridge(name="model.embed_tokens"),
            "blocks": BlockBridge(name="model.layers", submodules=parts),
            "ln_final": RMSNormalizationBridge(name="model.norm", config=self.cfg),
            "unembed": UnembeddingBridge(name="lm_head", config=self.cfg),
        }
