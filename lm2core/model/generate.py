"""Generation: the open segment, continued token by token, and as the cache of transformers' ``generate()``.

Source: the segments of docs/ARCHITECTURE.md, "Generation". Axes: see memory.py and segments.py.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from transformer_lens.hook_points import HookPoint
from transformers import GenerationConfig, GenerationMixin

from lm2core.errors import UserError
from lm2core.model.decoder import LM2Decoder
from lm2core.model.inputs import check_prompt
from lm2core.model.open_segment import OpenSegment
from lm2core.model.segments import Given

# What ``generate`` passes on to each call as it was given.
PASSED_ON = ("write_memory", "use_cache", "logits_to_keep", "output_hidden_states", "output_attentions")


class LM2GenerationMixin(GenerationMixin):
    """``generate()`` whose cache is the bank and the open segment, so that it does not grow with the text."""

    model: LM2Decoder
    hook_bank: HookPoint

    _is_stateful = True  # writes to the bank cannot be undone: no assisted generation

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        next_sequence_length: int | None = None,
        past_key_values: OpenSegment | None = None,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
        position_ids: Tensor | None = None,
        ends: tuple[Tensor, int] | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The inputs of the next call: the whole prompt, then the tokens that the cache does not hold.

        inputs_embeds : a prompt given in this form; ``input_ids`` are then the tokens generated since
        ends : tokens that end a text, and the length of the prompt; whatever follows an end is padding
        """
        n_embedded = 0 if inputs_embeds is None else inputs_embeds.shape[1]
        if ends is not None:
            end_tokens, n_prompt = ends
            is_over = _is_after_end(input_ids, end_tokens, n_prompt - n_embedded)
            is_over = F.pad(is_over, (n_embedded, 0))
            mask = torch.ones_like(is_over, dtype=torch.long) if attention_mask is None else attention_mask
            attention_mask = mask.masked_fill(is_over, 0)
        passed_on = {name: kwargs[name] for name in PASSED_ON if name in kwargs}
        if past_key_values is None and inputs_embeds is not None:
            return passed_on | {  # the first call: transformers never continues embeddings without a cache
                "inputs_embeds": inputs_embeds,
                "position_ids": position_ids,
                "attention_mask": attention_mask,
                "memory": memory,
            }
        if past_key_values is not None:
            n_new = n_embedded + input_ids.shape[1] - past_key_values.get_seq_length()
            if n_new < 1:
                raise UserError(
                    f"past_key_values has {past_key_values.get_seq_length()} tokens, input_ids only "
                    f"{input_ids.shape[1]}; give the whole text, including the cached tokens"
                )
            input_ids, memory = input_ids[:, -n_new:], None  # the bank is in the cache
        n_columns = input_ids.shape[1]
        if attention_mask is not None:
            attention_mask = attention_mask[:, -n_columns:]
        if position_ids is not None:
            position_ids = position_ids[:, -n_columns:]
        return passed_on | {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "position_ids": position_ids,
            "memory": memory,
            "past_key_values": past_key_values,
        }

    def _prepare_model_inputs(
        self, inputs: Tensor | None, bos_token_id: Tensor | None, model_kwargs: dict[str, Any]
    ) -> tuple[Tensor, str | None, dict[str, Any]]:
        """The prompt, whose values are checked here, once, so that no call has to wait for them."""
        prompt, name, model_kwargs = super()._prepare_model_inputs(inputs, bos_token_id, model_kwargs)
        ids = prompt if name == "input_ids" else None
        check_prompt(ids, model_kwargs.get("attention_mask"), vocab_size=self.config.vocab_size)
        return prompt, name, model_kwargs

    def _prepare_position_ids_for_generation(self, *_: Any, **__: Any) -> None:
        """None: an LM2 counts positions in each segment, unless the caller gives others."""

    def _prepare_cache_for_generation(
        self, generation_config: GenerationConfig, model_kwargs: dict[str, Any], *_: Any, **__: Any
    ) -> None:
        """Note the end tokens and the length of the prompt; the cache comes from the first forward call."""
        if generation_config.cache_implementation is not None:
            raise UserError(
                f"cache_implementation={generation_config.cache_implementation!r} is not supported, because "
                "an LM2 has its own cache, the open segment; omit it"
            )
        end_tokens = generation_config._eos_token_tensor
        if end_tokens is not None:
            mask = model_kwargs["attention_mask"]  # None by now if there is no padding
            n_prompt = generation_config._mask_length if mask is None else mask.shape[1]
            model_kwargs["ends"] = end_tokens, n_prompt

    def _reorder_cache(self, past_key_values: OpenSegment, beam_idx: Tensor) -> OpenSegment:
        """The cache of the beams that are kept."""
        return past_key_values.of_stories(beam_idx)

    def close(self, segment: OpenSegment) -> Tensor:
        """Write the open ``segment``; returns the bank (B,N,D) that a call without a cache would return."""
        return self.hook_bank(self.model.close(segment))

    def _embed(self, ids_BT: Tensor, given: Given | None) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B,T,D) of tokens or columns, and the positions (B,T) that were given for them."""
        return (self.model.embed_tokens(ids_BT), None) if given is None else given.at(ids_BT)

    def _continue_text(
        self,
        segment: OpenSegment,
        ids_BT: Tensor,
        mask_BT: Tensor,
        given: Given | None,
        write_memory: bool,
    ) -> tuple[Tensor, OpenSegment]:
        """Run tokens after a cached text, up to the next segment boundary of any text at a time."""
        streams = []
        while ids_BT.shape[1]:
            n = segment.n_room
            x_BTD, at_BT = self._embed(ids_BT[:, :n], given)
            x_BTD, segment = self.model.extend(
                segment, x_BTD, mask_BT[:, :n], at_BT, write_memory=write_memory
            )
            if not segment.n_room:
                is_counted = at_BT is None
                segment = self._close_full(segment, write_memory, is_counted=is_counted).with_room(
                    self.config.segment_length
                )
            streams.append(x_BTD)
            ids_BT, mask_BT = ids_BT[:, n:], mask_BT[:, n:]
        return torch.cat(streams, 1), segment

    def _close_full(self, segment: OpenSegment, write_memory: bool, *, is_counted: bool) -> OpenSegment:
        """Write full segments to the bank, and start the next ones. It is read which are: once a segment.

        ``is_counted``: positions begin anew in each.
        """
        is_full = segment.n_tokens() == self.config.segment_length
        rows = is_full.nonzero()[:, 0]
        if not len(rows):
            return segment
        bank_BND = segment.bank_BND
        if write_memory:
            written_BND = self.close(segment.of_stories(rows))
            bank_BND = bank_BND.index_copy(0, rows, written_BND)
        window = segment.window
        if self.config.attention_window:
            window = self.model.window_after(
                window, segment.attention(), segment.mask_BJ, is_counted=is_counted, is_full=is_full
            )
        return segment.closed(is_full, bank_BND, window)


def _is_after_end(ids_BT: Tensor, end_tokens: Tensor, n_prompt: int) -> Tensor:
    """True after the first token behind the prompt that ends its text."""
    is_end = torch.isin(ids_BT, end_tokens)
    is_end[:, :n_prompt] = False
    return is_end.long().cumsum(1) > is_end.long()
