"""A plain Llama that sees the whole text; its memory is the keys and values of every token.

Axes: see memory.py, plus J columns of the text so far, G key heads, Q questions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache

from lm2core.baselines.base import Baseline, positions
from lm2core.errors import UserError
from lm2core.model.config import StrictConfig
from lm2core.model.inputs import check_last_token, check_parts, check_texts
from lm2core.model.loss import logits_and_loss
from lm2core.model.open_segment import tokens_at
from lm2core.model.output import LM2Output
from lm2core.model.segments import last_token


class FullTextConfig(StrictConfig):
    """The config of a Llama that sees the whole text."""

    model_type = "lm2-llama-full"

    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


@dataclass(frozen=True)
class KeyValueMemory:
    """The memory of a Llama that sees the whole text: keys and values of every token. A value.

    blocks : for each block, keys and values (B,G,J,K)
    mask_BJ : 1 for tokens, 0 for padding
    """

    blocks: tuple[tuple[Tensor, Tensor], ...]
    mask_BJ: Tensor

    def __getitem__(self, rows: Tensor) -> "KeyValueMemory":
        """The memory of some of its texts."""
        return KeyValueMemory(tuple((k[rows], v[rows]) for k, v in self.blocks), self.mask_BJ[rows])


@dataclass
class FullTextOutput(LM2Output):
    """The result of a forward pass; ``memory`` is a KeyValueMemory.

    columns : number of columns before the text that was run, and per segment of it; None: nothing was kept
    """

    memory: KeyValueMemory | None = None  # type: ignore[assignment]
    columns: tuple[int, int] | None = None

    def memory_at(self, story: Tensor, segment: Tensor) -> KeyValueMemory:
        """The memory of stories ``story`` (Q,) up to and including segments ``segment`` (Q,)."""
        if self.memory is None or self.columns is None:
            raise UserError("no memory was kept; run with write_memory=True, without gradient checkpointing")
        memory, (n_before, per_segment) = self.memory, self.columns
        end_Q = n_before + (segment + 1) * per_segment
        n_columns = int(end_Q.max())
        is_past = torch.arange(n_columns, device=end_Q.device) < end_Q[:, None]
        blocks = tuple((k[story, :, :n_columns], v[story, :, :n_columns]) for k, v in memory.blocks)
        return KeyValueMemory(blocks, memory.mask_BJ[story, :n_columns] * is_past)

    keyed_at = memory_at  # it is keys and values


class FullTextForCausalLM(Baseline):
    """A plain Llama that sees the whole text, across segment boundaries."""

    config_class = FullTextConfig

    def __init__(self, config: FullTextConfig) -> None:
        super().__init__(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: KeyValueMemory | None = None,
        labels: Tensor | None = None,
        *,
        write_memory: bool = True,
        logits_to_keep: int = 0,
        loss_only: bool = False,
        last_token_only: bool = False,
    ) -> FullTextOutput:
        """Run texts (B,T) or (B,S,T) that continue the text in ``memory``; see ``LM2ForCausalLM``.

        A flat text (B,T) is one segment. With ``write_memory=False`` the memory is returned unchanged.
        Training under gradient checkpointing keeps no keys: it returns no memory and accepts none.
        """
        check_texts(input_ids, attention_mask, labels, vocab_size=self.config.vocab_size)
        check_parts(labels, logits_to_keep=logits_to_keep, loss_only=loss_only)
        if last_token_only:
            check_last_token(input_ids, labels, write_memory=write_memory)
        keeps_keys = not (self.training and self.model.gradient_checkpointing)
        if memory is not None:
            _check_memory(memory, len(input_ids), keeps_keys)
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask_BJ = mask.flatten(1) if memory is None else torch.cat([memory.mask_BJ, mask.flatten(1)], 1)
        is_kept = write_memory and keeps_keys
        cache = DynamicCache(memory.blocks if memory else None) if memory or is_kept else None
        x_BTD = self.model(
            input_ids=input_ids.flatten(1),
            attention_mask=mask_BJ,
            position_ids=positions(mask_BJ)[:, -input_ids.flatten(1).shape[1] :],
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        if cache is not None and is_kept:
            memory = KeyValueMemory(tuple((layer.keys, layer.values) for layer in cache.layers), mask_BJ)
        if last_token_only:
            x, padding = tokens_at(x_BTD, last_token(mask.flatten(1), input_ids.flatten(1)))[:, None], None
        else:
            x, padding = x_BTD.view(*input_ids.shape, -1)[:, -logits_to_keep:], attention_mask
        logits, loss = logits_and_loss(
            self.lm_head, x, padding, labels, vocab_size=self.config.vocab_size, loss_only=loss_only
        )
        n_before = mask_BJ.shape[1] - mask.flatten(1).shape[1]
        columns = (n_before, input_ids.shape[-1]) if is_kept else None
        return FullTextOutput(loss, logits, memory, columns=columns)


def _check_memory(memory: KeyValueMemory, n_texts: int, keeps_keys: bool) -> None:
    if not isinstance(memory, KeyValueMemory):
        raise UserError(
            f"memory must be a KeyValueMemory, as this model returns it, got {type(memory).__name__}"
        )
    if len(memory.mask_BJ) != n_texts:
        raise UserError(f"memory has {len(memory.mask_BJ)} texts, but input_ids {n_texts}; they must agree")
    if not keeps_keys:
        raise UserError("a memory cannot be used with gradient checkpointing; switch the checkpointing off")


AutoConfig.register(FullTextConfig.model_type, FullTextConfig)
AutoModelForCausalLM.register(FullTextConfig, FullTextForCausalLM)
