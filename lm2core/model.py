"""LM2ForCausalLM: transformers' Llama parts with the memory wired in. Wiring only; the maths is memory.py.

Source: Kang et al. 2025, arXiv:2502.06049, section 2 and figure 1. Module names are a Llama checkpoint's;
only ``mem`` is new. Axes: see memory.py, plus S segments of a text and V vocabulary.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformer_lens import HookedRootModule
from transformer_lens.hook_points import HookPoint
from transformers import AutoConfig, AutoModelForCausalLM, GenerationMixin, PreTrainedModel
from transformers import initialization as init
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding
from transformers.utils import ModelOutput

from lm2core.block import LM2Block
from lm2core.config import LM2Config
from lm2core.memory import FORGET_BIAS, LM2Memory, RMSNorm, initial_bank
from lm2core.segments import Segments, next_token_loss


@dataclass
class LM2Output(ModelOutput):
    """What a forward pass returns.

    loss : mean next-token cross entropy in nats, when labels were given
    logits : (B,T,V), or (B,S,T,V) for a text given in segments
    memory : (B,N,D), the bank after the last segment: pass it on to continue the text
    memory_per_segment : S banks (B,N,D), the one after each segment
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    memory: Tensor | None = None
    memory_per_segment: tuple[Tensor, ...] | None = None


class LM2Model(nn.Module):
    """Embedding, blocks and final norm, under the names a Llama checkpoint has."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(LM2Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)

    def blocks(self) -> Iterator[LM2Block]:
        """The blocks in order, under their own type."""
        return cast("Iterator[LM2Block]", iter(self.layers))


class LM2ForCausalLM(PreTrainedModel, GenerationMixin, HookedRootModule):
    """A causal language model with one memory bank.

    ``model(input_ids, attention_mask=None, memory=None, labels=None)``. ``input_ids`` is (B,T), cut into
    segments of ``config.segment_length``, or (B,S,T): segments given by the caller, right-padded. The bank is
    a value: ``memory=None`` starts fresh, ``output.memory`` continues the text in the next call.
    """

    config_class = LM2Config
    base_model_prefix = "model"
    accepts_loss_kwargs = False
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: LM2Config) -> None:
        super().__init__(config)
        self.model = LM2Model(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.hook_bank = HookPoint()
        self.post_init()
        self.setup()

    def setup(self) -> None:
        """Name hook points ``blocks.{l}.attn|mem...`` as TransformerLens does; weights keep Llama's names."""
        super().setup()
        for table in (self.mod_dict, self.hook_dict):
            for name in list(table):
                short = name.replace("model.layers.", "blocks.").replace(".self_attn", ".attn")
                table[short] = table.pop(name)
                table[short].name = short

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        write_memory: bool = True,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
    ) -> LM2Output:
        """Run a text of any length.

        Parameters
        ----------
        input_ids : (B,T) or (B,S,T)
        attention_mask : same shape, 1 for tokens and 0 for padding (left, right or between); None: all tokens
        memory : (B,N,D), the bank of the text so far; None: a fresh one
        labels : same shape as ``input_ids``; the loss predicts each next token, -100 is not counted
        write_memory : False reads only, e.g. a question that must leave no trace
        use_cache, return_dict : what transformers' ``generate`` says to every model; nothing to choose here
        """
        self._check_inputs(input_ids, attention_mask, memory)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        cut = Segments.of(input_ids, mask, self.config.segment_length)
        bank_BND = self.new_memory(len(input_ids)) if memory is None else memory
        logits, banks = [], []
        for ids_BT, mask_BT in zip(cut.ids_BST.unbind(1), cut.mask_BST.unbind(1), strict=True):
            x_BTD, bank_BND = self._segment(ids_BT, mask_BT, bank_BND, write_memory)
            logits.append(self.lm_head(self.model.norm(x_BTD)))
            banks.append(bank_BND)
        # Logits of padding mean nothing; packed to the end, they would have seen what comes later.
        logits_out = cut.restore(torch.stack(logits, 1)).masked_fill((mask == 0)[..., None], 0.0)
        loss = None if labels is None else next_token_loss(logits_out, labels, mask)
        return LM2Output(loss, logits_out, bank_BND, tuple(banks))

    def compile_segments(self) -> None:
        """Compile the work of one segment, for training. Compiled code does not call hooks."""
        # Inductor's attention fusion fails on a read whose heads attend to slots (torch 2.13): leave it out.
        options: dict[str, Any] = {"pattern_matcher": False}
        self._segment = torch.compile(self._segment, options=options)  # type: ignore[method-assign]

    def new_memory(self, batch_size: int) -> Tensor:
        """A fresh bank (B,N,D)."""
        like = self.lm_head.weight
        return initial_bank(batch_size, self.config.memory_slots, self.config.hidden_size, like=like)

    def _segment(
        self, ids_BT: Tensor, mask_BT: Tensor, bank_BND: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """One segment: every block reads, then every block writes; with positional routing, in turn."""
        x_BTD = self.model.embed_tokens(ids_BT)
        n_tokens = ids_BT.shape[1]
        positions = torch.arange(n_tokens, device=ids_BT.device)[None]
        rotary = self.model.rotary_emb(x_BTD, positions)
        future_TT = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=ids_BT.device).triu(1)
        hidden_BTT = future_TT | (mask_BT == 0)[:, None]
        in_turn = self.config.routing == "positional"
        pending: list[tuple[LM2Memory, Tensor, Tensor]] = []
        for block in self.model.blocks():
            x_BTD, mid_BTD, read_BTD = block(x_BTD, bank_BND, rotary, hidden_BTT)
            if block.mem is None or not write_memory:
                continue
            if in_turn:
                bank_BND = block.mem.write(mid_BTD, read_BTD, bank_BND, mask_BT)
            else:
                pending.append((block.mem, mid_BTD, read_BTD))
        for mem, mid_BTD, read_BTD in pending:
            bank_BND = mem.write(mid_BTD, read_BTD, bank_BND, mask_BT)
        return x_BTD, self.hook_bank(bank_BND)

    def _check_inputs(self, ids: Tensor, mask: Tensor | None, memory: Tensor | None) -> None:
        if ids.ndim not in (2, 3) or 0 in ids.shape:
            raise ValueError(
                f"input_ids must be (B,T) or (B,S,T) with at least one token, got {tuple(ids.shape)}"
            )
        if mask is not None and mask.shape != ids.shape:
            raise ValueError(
                f"attention_mask {tuple(mask.shape)} must have input_ids' shape {tuple(ids.shape)}"
            )
        if ids.min() < 0 or ids.max() >= self.config.vocab_size:
            got = f"{int(ids.min())}..{int(ids.max())}"
            raise ValueError(
                f"token ids must be in 0..{self.config.vocab_size - 1}, got {got}; use the model's tokenizer"
            )
        n_slots, width = self.config.memory_slots, self.config.hidden_size
        if memory is not None and memory.shape != (len(ids), n_slots, width):
            raise ValueError(
                f"memory must be {(len(ids), n_slots, width)} (B,N,D), got {tuple(memory.shape)}"
            )
        length = ids.shape[-1]
        if self.config.routing == "positional" and (length % n_slots if ids.ndim == 2 else length != n_slots):
            raise ValueError(
                f"positional routing needs segments of {n_slots} tokens, one a slot, got {length}; pad it"
            )

    def _init_weights(self, module: nn.Module) -> None:
        """Embeddings of size one (token identity must not drown), layers by fan-in, gates by their bias."""
        if isinstance(module, nn.Embedding):
            init.normal_(module.weight)
        elif isinstance(module, nn.Linear):
            bound = module.in_features**-0.5
            init.uniform_(module.weight, -bound, bound)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, LM2Memory):
            init.normal_(module.slot_key)
            init.constant_(module.gate_forget.bias, FORGET_BIAS)
        else:
            super()._init_weights(module)


AutoConfig.register(LM2Config.model_type, LM2Config)
AutoModelForCausalLM.register(LM2Config, LM2ForCausalLM)
