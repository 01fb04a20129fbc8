"""A plain Llama that has the whole text in view; its memory is the keys and values of every token.

Axes: see memory.py, plus J columns of the text so far, G key heads, Q questions.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, DynamicCache, LlamaConfig

from lm2core.baselines import Baseline, positions
from lm2core.inputs import check_texts
from lm2core.model import LM2Output
from lm2core.segments import next_token_loss


class FullTextConfig(LlamaConfig):
    """Llama's config, of a model that has the whole text in view."""

    model_type = "lm2-llama-full"

    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None


@dataclass(frozen=True)
class TextSoFar:
    """The memory of a Llama that has the whole text in view: keys and values of every token. A value.

    blocks : of each block keys and values (B,G,J,K); mask_BJ : 1 where there is a token
    """

    blocks: tuple[tuple[Tensor, Tensor], ...]
    mask_BJ: Tensor


@dataclass
class FullTextOutput(LM2Output):
    """What a forward pass returns; ``memory`` is a TextSoFar, which ends with the columns of this text.

    columns_per_segment : of the text that was run
    """

    memory: TextSoFar | None = None  # type: ignore[assignment]
    columns_per_segment: int | None = None

    def memory_at(self, story: Tensor, segment: Tensor) -> TextSoFar:
        """The text of stories ``story`` (Q,) up to and with segments ``segment`` (Q,)."""
        if self.memory is None or self.logits is None or self.columns_per_segment is None:
            raise ValueError("no memory was kept; run the text without gradient checkpointing")
        kept, n_columns = self.memory, self.logits.flatten(1, -2).shape[1]
        n_before = kept.mask_BJ.shape[1] - n_columns
        end_Q = n_before + (segment + 1) * self.columns_per_segment
        n_columns = int(end_Q.max())
        is_past = torch.arange(n_columns, device=end_Q.device) < end_Q[:, None]
        blocks = tuple((k[story, :, :n_columns], v[story, :, :n_columns]) for k, v in kept.blocks)
        return TextSoFar(blocks, kept.mask_BJ[story, :n_columns] * is_past)


class FullTextForCausalLM(Baseline):
    """A plain Llama with the whole text in view, segment borders or not."""

    config_class = FullTextConfig

    def __init__(self, config: FullTextConfig) -> None:
        super().__init__(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: TextSoFar | None = None,
        labels: Tensor | None = None,
        *,
        write_memory: bool = True,
    ) -> FullTextOutput:
        """Run texts (B,T) or (B,S,T) that go on from the text ``memory``; see ``LM2ForCausalLM``.

        With ``write_memory=False`` the memory after it is the one before it. Under gradient checkpointing no
        keys are kept and the memory is None.
        """
        check_texts(input_ids, attention_mask, vocab_size=self.config.vocab_size)
        if memory is not None and len(memory.mask_BJ) != len(input_ids):
            raise ValueError(f"memory is of {len(memory.mask_BJ)} texts, input_ids of {len(input_ids)}")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        mask_BJ = mask.flatten(1) if memory is None else torch.cat([memory.mask_BJ, mask.flatten(1)], 1)
        is_kept = write_memory and not (self.training and self.model.gradient_checkpointing)
        cache = DynamicCache(memory.blocks if memory else None) if memory or is_kept else None
        x_BTD = self.model(
            input_ids=input_ids.flatten(1),
            attention_mask=mask_BJ,
            position_ids=positions(mask_BJ)[:, -input_ids.flatten(1).shape[1] :],
            past_key_values=cache,
            use_cache=cache is not None,
        ).last_hidden_state
        if cache is not None and is_kept:
            memory = TextSoFar(tuple((layer.keys, layer.values) for layer in cache.layers), mask_BJ)
        logits = self._logits(x_BTD.view(*input_ids.shape, -1), attention_mask)
        loss = None if labels is None else next_token_loss(logits, labels, attention_mask)
        return FullTextOutput(loss, logits, memory, columns_per_segment=input_ids.shape[-1])


AutoConfig.register(FullTextConfig.model_type, FullTextConfig)
AutoModelForCausalLM.register(FullTextConfig, FullTextForCausalLM)
