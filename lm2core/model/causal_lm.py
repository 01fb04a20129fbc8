"""LM2ForCausalLM: transformers' Llama with the memory wired in. Wiring only; the maths is in memory.py.

Source: Kang et al. 2025, arXiv:2502.06049, section 2 and figure 1. Module names are a Llama checkpoint's;
only ``mem`` is new. Axes: see memory.py, plus S segments of a text and V vocabulary.
"""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from transformer_lens.hook_points import HookPoint
from transformers import AutoConfig, AutoModelForCausalLM

from lm2core.errors import UserError
from lm2core.model.config import LM2Config
from lm2core.model.decoder import LM2Decoder
from lm2core.model.from_llama import LlamaLoading
from lm2core.model.generate import LM2GenerationMixin
from lm2core.model.hooked import HookedModel
from lm2core.model.initialise import initialise_backbone, initialise_memory
from lm2core.model.inputs import check_cache, check_given, check_inputs, check_last_token, check_parts
from lm2core.model.internals import Internals
from lm2core.model.loss import logits_and_loss
from lm2core.model.memory import LM2Memory, initial_bank
from lm2core.model.open_segment import OpenSegment, SlotsOfBlocks
from lm2core.model.output import KeyedBank, LM2Output
from lm2core.model.segments import Given, Segments, last_token
from lm2core.model.self_opening import SelfOpening
from lm2core.model.window import Window


class LM2ForCausalLM(SelfOpening, LlamaLoading, LM2GenerationMixin, HookedModel):
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
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        memory: Tensor | KeyedBank | None = None,
        labels: Tensor | None = None,
        *,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: OpenSegment | None = None,
        write_memory: bool = True,
        backprop_segments: int = 0,
        logits_to_keep: int = 0,
        loss_only: bool = False,
        last_token_only: bool = False,
        use_cache: bool | None = None,
        output_banks: bool | None = None,
        output_hidden_states: bool | None = None,
        output_attentions: bool | None = None,
        return_dict: bool | None = None,
    ) -> LM2Output | tuple[Any, ...]:
        """Run a text of any length.

        Parameters
        ----------
        input_ids : (B,T) or (B,S,T)
        attention_mask : same shape, 1 for tokens and 0 for padding (left, right or between); None: no padding
        memory : (B,N,D), the bank of the text so far; None: a fresh one. Also a ``KeyedBank``. Not with it
            comes the ``attention_window`` of the text so far, which is in ``past_key_values``
        labels : same shape as ``input_ids``; the loss predicts each next token and ignores -100. If nothing
            is left to predict, it is 0. Not with ``logits_to_keep``: the loss needs all logits
        inputs_embeds : (B,T,D) or (B,S,T,D), instead of ``input_ids``
        position_ids : of ``input_ids``' shape, or (1,T); only differences within a segment matter.
            None: 0, 1, ... in each segment
        past_key_values : the cache of an earlier call, to continue within its last segment
        write_memory : False only reads, e.g. a question that must not change the bank
        backprop_segments : gradients run back through this many segments, then stop; 0: through all
        logits_to_keep : logits of only the last so many tokens of (B,T), or segments of (B,S,T); 0: all
        loss_only : return the loss without logits, which are then computed in chunks: for long texts and
            large vocabularies
        last_token_only : logits (B,1,1,V) of only the last token of texts (B,1,T) that are not written; the
            last block and its hook points then run for that token alone
        use_cache : True leaves the last segment open and returns it as ``past_key_values``
        output_banks : also return the bank after each segment; None: of a text given in segments (B,S,T). Not
            with ``use_cache``, whose memory must not grow with the text
        output_hidden_states, output_attentions : also return these, see ``LM2Output``
        return_dict : False returns a tuple of what is not None but ``slots_per_segment``, in the order of
            ``LM2Output``
        """
        ids, given = self._ids_and_given(input_ids, inputs_embeds, position_ids)
        slots = memory.slots if isinstance(memory, KeyedBank) else None
        memory = memory.bank_BND if isinstance(memory, KeyedBank) else memory
        check_inputs(
            self.config, ids, attention_mask, memory, labels, are_ids=given is None, like=self._like()
        )
        check_parts(
            labels,
            logits_to_keep=logits_to_keep,
            backprop_segments=backprop_segments,
            loss_only=loss_only,
        )
        if use_cache and ids.ndim == 3:
            raise UserError("use_cache needs input_ids (B,T); for segments (B,S,T) pass on output.memory")
        if output_banks and (use_cache or past_key_values is not None):
            raise UserError("output_banks does not go with a cache; omit one of the two")
        internals = Internals.of(self, output_hidden_states, output_attentions)
        if last_token_only:
            check_last_token(
                ids, labels, write_memory=write_memory, is_bare=not (use_cache or internals.values)
            )
        with internals.recorded():
            if past_key_values is None:
                x, output = self._run(
                    ids, attention_mask, memory, given,
                    slots=slots, write_memory=write_memory, backprop_segments=backprop_segments,
                    logits_to_keep=logits_to_keep, last_token_only=last_token_only,
                    use_cache=bool(use_cache),
                    output_banks=ids.ndim == 3 if output_banks is None else output_banks,
                    internals=internals,
                )  # fmt: skip
            else:
                check_cache(past_key_values, ids, memory, labels)
                mask = torch.ones_like(ids) if attention_mask is None else attention_mask
                x, segment = self._continue_text(past_key_values, ids, mask, given, write_memory)
                x = x[:, -logits_to_keep:]
                output = LM2Output(memory=segment.bank_BND, past_key_values=segment)
                internals.complete(output)
        padding = None if last_token_only else attention_mask
        logits, loss = logits_and_loss(
            self._logits, x, padding, labels, vocab_size=self.config.vocab_size, loss_only=loss_only
        )
        output = replace(output, logits=logits, loss=loss)
        is_tuple = not (self.config.return_dict if return_dict is None else return_dict)
        if is_tuple:
            return replace(output, slots_per_segment=None).to_tuple()  # they are for keyed_at
        return output

    def _run(
        self,
        ids: Tensor,
        mask: Tensor | None,
        memory: Tensor | None,
        given: Given | None,
        *,
        slots: SlotsOfBlocks | None,
        write_memory: bool,
        backprop_segments: int,
        logits_to_keep: int,
        last_token_only: bool,
        use_cache: bool,
        output_banks: bool,
        internals: Internals,
    ) -> tuple[Tensor, LM2Output]:
        """Run a text from its first token: whole segments, and with a cache the last one open.

        ``slots`` are keys and values of the bank it begins with, if they are known.
        Returns the stream whose logits are wanted, and the output without them.
        """
        cut = Segments.of(ids, mask, self._segment_length(ids.shape[1]))
        bank_BND = self.new_memory(len(ids)) if memory is None else memory
        first, n_complete = cut.first_needed(logits_to_keep), len(cut) - use_cache
        only_B = last_token(cut[0][1], ids.flatten(1)) if last_token_only else None
        # With gradients they are held in any case; where gradients are cut, they are those of a cut bank.
        keeps_slots = output_banks and write_memory and torch.is_grad_enabled() and not backprop_segments
        streams, banks, read, open_segment = [], [], [], None
        window: Window | None = None
        for s in range(n_complete):
            if backprop_segments and s % backprop_segments == 0:
                bank_BND, window = bank_BND.detach(), window and window.detach()
            x_BTD, bank_BND, slots, window = self._run_segment(
                *cut[s], bank_BND, write_memory, given, slots if s == 0 else None, only_B, window
            )
            banks += [bank_BND] if output_banks else []
            read += [slots] if keeps_slots else []
            streams += [x_BTD] if s >= first else []
        if use_cache:
            ids_BT, mask_BT = cut.last()
            n_seen = ids.shape[1] - ids_BT.shape[1]
            start = OpenSegment.start(
                bank_BND,
                n_blocks=self.config.num_hidden_layers,
                n_room=self.config.segment_length,
                n_seen=n_seen,
                window=window,
            )
            x_BTD, open_segment = self._continue_text(start, ids_BT, mask_BT, given, write_memory)
            streams.append(x_BTD)
            bank_BND = open_segment.bank_BND
        x = (
            streams[0][:, None]
            if last_token_only
            else cut.restore(streams, first=first, n_last=logits_to_keep)
        )
        output = LM2Output(
            memory=bank_BND,
            memory_per_segment=tuple(banks) if output_banks else None,
            slots_per_segment=(*read[1:], self.model.slots(bank_BND)) if keeps_slots else None,
            past_key_values=open_segment,
        )
        internals.complete(output, cut)
        return x, output

    def compile_segments(self) -> None:
        """Compile the computation of one segment, for training. Compiled code does not call hooks."""
        # Inductor's attention fusion fails on heads that attend to slots (torch 2.13), so it is off. Shapes
        # are dynamic from the start: otherwise every new shape recompiles, at most eight times.
        options: dict[str, Any] = {"pattern_matcher": False}
        self._segment = torch.compile(self._segment, dynamic=True, options=options)  # type: ignore[method-assign]

    def new_memory(self, batch_size: int) -> Tensor:
        """A fresh bank (B,N,D)."""
        return initial_bank(batch_size, self.config.memory_slots, self.config.bank_width, like=self._like())

    def _like(self) -> Tensor:
        """A weight of the model's dtype, on its device; quantized layers have none."""
        return self.get_input_embeddings().weight

    def _ids_and_given(
        self, input_ids: Tensor | None, inputs_embeds: Tensor | None, position_ids: Tensor | None
    ) -> tuple[Tensor, Given | None]:
        """What is cut into segments: ids, or with given embeddings or positions the numbers of columns."""
        if (input_ids is None) == (inputs_embeds is None):
            raise UserError("give either input_ids or inputs_embeds, one of the two")
        if input_ids is not None and position_ids is None:
            return input_ids, None
        check_given(self.config, input_ids, inputs_embeds, position_ids, like=self._like())
        embeds = self.model.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        return Given.columns(embeds), Given.of(embeds, position_ids)

    def _segment_length(self, n_tokens: int) -> int:
        """Tokens per segment of a text of ``n_tokens``; with positional routing always one per slot."""
        if self.config.routing == "positional":
            return self.config.segment_length
        return min(self.config.segment_length, n_tokens)

    def _segment(
        self,
        ids_BT: Tensor,
        mask_BT: Tensor | None,
        bank_BND: Tensor,
        write_memory: bool,
        given: Given | None = None,
        slots: SlotsOfBlocks | None = None,
        only_B: Tensor | None = None,
        window: Window | None = None,
    ) -> tuple[Tensor, Tensor, SlotsOfBlocks, Window | None]:
        """Run a complete segment: its stream (B,T,D), the bank after it, what it read of the one before, and
        the window behind it; no mask if it has no padding, the others as of ``LM2Decoder.whole``.
        """
        x_BTD, at_BT = self._embed(ids_BT, given)
        x_BTD, bank_BND, slots, window = self.model.whole(
            bank_BND,
            x_BTD,
            mask_BT,
            at_BT,
            write_memory=write_memory,
            slots=slots,
            only_B=only_B,
            window=window,
        )
        return x_BTD, self.hook_bank(bank_BND), slots, window

    def _run_segment(self, *arguments: Any) -> tuple[Tensor, Tensor, SlotsOfBlocks, Window | None]:
        """Run a complete segment; under gradient checkpointing its activations are recomputed."""
        if self.gradient_checkpointing and self.training:
            return self._gradient_checkpointing_func(self._segment, *arguments)
        return self._segment(*arguments)

    def _logits(self, x: Tensor) -> Tensor:
        """Logits of a stream."""
        logits: Tensor = self.lm_head(self.model.norm(x))
        return logits

    def _init_weights(self, module: nn.Module) -> None:
        """Initial values, as in initialise.py; transformers' own for other modules."""
        if isinstance(module, LM2Memory):
            initialise_memory(module, self.config)
        elif not initialise_backbone(module):
            super()._init_weights(module)


AutoConfig.register(LM2Config.model_type, LM2Config)
AutoModelForCausalLM.register(LM2Config, LM2ForCausalLM)
