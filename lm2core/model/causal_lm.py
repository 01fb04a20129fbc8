"""LM2ForCausalLM: transformers' Llama with the memory wired in. Wiring only; the maths is in memory.py.

Source: Kang et al. 2025, arXiv:2502.06049, section 2 and figure 1. Module names are a Llama checkpoint's;
only ``mem`` is new. Axes: see memory.py, plus S segments of a text and V vocabulary.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import initialization as init
from transformers.utils import ModelOutput

from lm2core.errors import UserError
from lm2core.model.config import LM2Config
from lm2core.model.decoder import LM2Decoder
from lm2core.model.from_llama import LlamaLoading
from lm2core.model.generate import LM2GenerationMixin
from lm2core.model.hooked import HookedModel
from lm2core.model.inputs import check_cache, check_inputs, check_parts
from lm2core.model.memory import CLOSED_BIAS, FORGET_BIAS, LM2Memory, initial_bank
from lm2core.model.open_segment import OpenSegment
from lm2core.model.segments import Segments, next_token_loss


@dataclass
class LM2Output(ModelOutput):
    """The result of a forward pass.

    loss : mean next-token cross entropy in nats, if labels were given
    logits : (B,T,V), or (B,S,T,V) for a text given in segments
    memory : (B,N,D), the bank after the last segment: pass it to the next call to continue the text
    memory_per_segment : S banks (B,N,D), one after each segment
    past_key_values : with ``use_cache``, the open segment; ``memory`` is then the bank before it
    """

    loss: Tensor | None = None
    logits: Tensor | None = None
    memory: Tensor | None = None
    memory_per_segment: tuple[Tensor, ...] | None = None
    past_key_values: OpenSegment | None = None

    def memory_at(self, story: Tensor, segment: Tensor) -> Any:
        """The banks (Q,N,D) that stories ``story`` (Q,) had after segments ``segment`` (Q,)."""
        if self.memory_per_segment is None:
            raise UserError("a cache does not keep earlier banks; run the text without use_cache")
        return torch.stack(self.memory_per_segment, dim=1)[story, segment]

    def backward(self) -> None:
        """Run back from the loss, as ``run_with_cache(..., incl_bwd=True)`` asks of what a model returns."""
        if self.loss is None:
            raise UserError("there is no loss to backpropagate; give labels=input_ids")
        self.loss.backward()


class LM2ForCausalLM(LlamaLoading, LM2GenerationMixin, HookedModel):
    """A causal language model with one memory bank.

    ``model(input_ids, attention_mask=None, memory=None, labels=None)``. ``input_ids`` is (B,T), cut into
    segments of ``config.segment_length``, or (B,S,T): segments given by the caller, right-padded. The bank is
    a value: ``memory=None`` starts fresh, ``output.memory`` continues the text in the next call.
    """

    config_class = LM2Config
    base_model_prefix = "model"
    accepts_loss_kwargs = False
    supports_gradient_checkpointing = True
    gradient_checkpointing = False
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}

    def __init__(self, config: LM2Config) -> None:
        super().__init__(config)
        self.model = LM2Decoder(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        self.hook_bank = HookPoint()
        self.post_init()
        self.setup()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        labels: Tensor | None = None,
        *,
        past_key_values: OpenSegment | None = None,
        write_memory: bool = True,
        backprop_segments: int = 0,
        logits_to_keep: int = 0,
        use_cache: bool | None = None,
        return_dict: bool | None = None,
    ) -> LM2Output:
        """Run a text of any length.

        Parameters
        ----------
        input_ids : (B,T) or (B,S,T)
        attention_mask : same shape, 1 for tokens and 0 for padding (left, right or between); None: no padding
        memory : (B,N,D), the bank of the text so far; None: a fresh one
        labels : same shape as ``input_ids``; the loss predicts each next token and ignores -100.
            Not with ``logits_to_keep``: the loss needs all logits
        past_key_values : the cache of an earlier call, to continue within its last segment
        write_memory : False only reads, e.g. a question that must not change the bank
        backprop_segments : gradients run back through this many segments, then stop; 0: through all
        logits_to_keep : logits of only the last so many tokens of (B,T), or segments of (B,S,T); 0: all
        use_cache : True leaves the last segment open and returns it as ``past_key_values``
        return_dict : passed by transformers' ``generate``; has no effect
        """
        check_inputs(self.config, input_ids, attention_mask, memory, labels, like=self.lm_head.weight)
        check_parts(labels, logits_to_keep=logits_to_keep, backprop_segments=backprop_segments)
        mask = attention_mask
        if past_key_values is not None:
            check_cache(past_key_values, input_ids, memory, labels)
            mask = torch.ones_like(input_ids) if mask is None else mask
            x, segment = self._continue_text(past_key_values, input_ids, mask, write_memory)
            logits = self._logits(x[:, -logits_to_keep:], mask[:, -logits_to_keep:])
            return LM2Output(logits=logits, memory=segment.bank_BND, past_key_values=segment)
        if use_cache and input_ids.ndim == 3:
            raise UserError("use_cache needs input_ids (B,T); for segments (B,S,T) pass on output.memory")

        cut = Segments.of(input_ids, mask, self._segment_length(input_ids.shape[1]))
        bank_BND = self.new_memory(len(input_ids)) if memory is None else memory
        first, n_complete = cut.first_needed(logits_to_keep), len(cut) - bool(use_cache)
        streams, banks, open_segment = [], [], None
        for s in range(n_complete):
            if backprop_segments and s % backprop_segments == 0:
                bank_BND = bank_BND.detach()
            x_BTD, bank_BND = self._run_segment(*cut[s], bank_BND, write_memory)
            banks += [] if use_cache else [bank_BND]  # a cache must not grow with the text
            streams += [x_BTD] if s >= first else []
        if use_cache:
            ids_BT, mask_BT = cut.last()
            start = OpenSegment.start(
                bank_BND,
                ids_BT,
                n_blocks=self.config.num_hidden_layers,
                n_seen=input_ids.shape[1] - ids_BT.shape[1],
            )
            x_BTD, open_segment = self._continue_text(start, ids_BT, mask_BT, write_memory)
            streams.append(x_BTD)
            bank_BND = open_segment.bank_BND
        x = cut.restore(streams, first=first, n_last=logits_to_keep)
        logits = self._logits(x, None if mask is None else mask[:, -logits_to_keep:])
        loss = None if labels is None else next_token_loss(logits, labels, mask)
        return LM2Output(loss, logits, bank_BND, None if use_cache else tuple(banks), open_segment)

    def close(self, segment: OpenSegment) -> Tensor:
        """Write the open ``segment``; returns the bank (B,N,D) that a call without a cache would return."""
        return self.hook_bank(self.model.close(segment))

    def compile_segments(self) -> None:
        """Compile the computation of one segment, for training. Compiled code does not call hooks."""
        # Inductor's attention fusion fails on heads that attend to slots (torch 2.13), so it is off. Shapes
        # are dynamic from the start: otherwise every new shape recompiles, at most eight times.
        options: dict[str, Any] = {"pattern_matcher": False}
        self._segment = torch.compile(self._segment, dynamic=True, options=options)  # type: ignore[method-assign]

    def new_memory(self, batch_size: int) -> Tensor:
        """A fresh bank (B,N,D)."""
        like = self.lm_head.weight
        return initial_bank(batch_size, self.config.memory_slots, self.config.hidden_size, like=like)

    def _segment_length(self, n_tokens: int) -> int:
        """Tokens per segment of a text of ``n_tokens``; with positional routing always one per slot."""
        if self.config.routing == "positional":
            return self.config.segment_length
        return min(self.config.segment_length, n_tokens)

    def _segment(
        self, ids_BT: Tensor, mask_BT: Tensor | None, bank_BND: Tensor, write_memory: bool
    ) -> tuple[Tensor, Tensor]:
        """Run a complete segment: its stream (B,T,D) and the bank after it; no mask if it has no padding."""
        x_BTD, bank_BND = self.model.whole(bank_BND, ids_BT, mask_BT, write_memory=write_memory)
        return x_BTD, self.hook_bank(bank_BND)

    def _run_segment(self, *arguments: Any) -> tuple[Tensor, Tensor]:
        """Run a complete segment; under gradient checkpointing its activations are recomputed."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(self._segment, *arguments)
        return self._segment(*arguments)

    def _continue_text(
        self, segment: OpenSegment, ids_BT: Tensor, mask_BT: Tensor, write_memory: bool
    ) -> tuple[Tensor, OpenSegment]:
        """Run tokens after a cached text, up to the next segment boundary of any text at a time."""
        streams = []
        while ids_BT.shape[1]:
            n_free = self.config.segment_length - int(segment.n_tokens().max())
            x_BTD, segment = self.model.extend(
                segment, ids_BT[:, :n_free], mask_BT[:, :n_free], write_memory=write_memory
            )
            segment = self._close_full(segment.without_gaps(), write_memory)
            streams.append(x_BTD)
            ids_BT, mask_BT = ids_BT[:, n_free:], mask_BT[:, n_free:]
        return torch.cat(streams, 1), segment

    def _close_full(self, segment: OpenSegment, write_memory: bool) -> OpenSegment:
        """Write full segments to the bank, and start the next ones."""
        is_full = segment.n_tokens() == self.config.segment_length
        rows = is_full.nonzero()[:, 0]
        if not len(rows):
            return segment
        bank_BND = segment.bank_BND
        if write_memory:
            written_BND = self.close(segment.of_stories(rows))
            bank_BND = bank_BND.index_copy(0, rows, written_BND)
        return segment.closed(is_full, bank_BND)

    def _logits(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Logits of a stream; zero for padding."""
        logits = self.lm_head(self.model.norm(x))
        return logits if mask is None else logits.masked_fill((mask == 0)[..., None], 0.0)

    def _init_weights(self, module: nn.Module) -> None:
        """Initial values: the backbone's, slot keys of unit variance, gates by their biases."""
        if initialise_backbone(module):
            return
        if isinstance(module, LM2Memory):
            init.normal_(module.slot_key)
            init.constant_(module.gate_forget.bias, FORGET_BIAS)
            if self.config.memory_starts_closed:
                init.constant_(module.gate_out.bias, CLOSED_BIAS)
                width = self.config.hidden_size
                init.zeros_(module.bank_proj.weight[width : 2 * width])  # W_V: reads nothing yet, but learns
        else:
            super()._init_weights(module)


def initialise_backbone(module: nn.Module) -> bool:
    """Embeddings of unit variance (token identity must not drown), layers by fan-in; False for others."""
    if isinstance(module, nn.Embedding):
        init.normal_(module.weight)
    elif isinstance(module, nn.Linear):
        bound = module.in_features**-0.5
        init.uniform_(module.weight, -bound, bound)
        if module.bias is not None:
            init.zeros_(module.bias)
    else:
        return False
    return True


AutoConfig.register(LM2Config.model_type, LM2Config)
AutoModelForCausalLM.register(LM2Config, LM2ForCausalLM)
