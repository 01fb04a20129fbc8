"""The work of one training step on text: FLOP and bytes, and the time a GPU should take for it."""

from dataclasses import dataclass

from lm2core.model.config import LM2Config
from lm2core.model.loss import LOGITS_AT_ONCE
from lm2core.model.sizes import BYTES_BF16, model_size
from lm2core.model.work import token_work
from lm2core.training.devices import Chip
from lm2core.training.text_recipe import TextRecipe

# Bytes of a parameter in a step of mixed precision: AdamW reads weight, gradient and two moments and writes
# three of them; clipping reads the gradients twice and writes them; weights are cast to bf16.
BYTES_PER_STEP = 28 + 12 + 6
# And in each pass of a segment: the bf16 weight forward and backward, and a gradient added to one of float32.
BYTES_PER_SEGMENT = 2 + 2 + 12
BYTES_RECOMPUTED = 2  # the bf16 weight once more, with checkpointing
# Values per token and block that kernels read and write in a forward pass, as multiples of a width. Estimated
# from the code, not measured.
STREAM_VALUES, MLP_VALUES, MEMORY_VALUES = 30, 8, 40
FUSED = 0.5  # of these are left when a segment is compiled


@dataclass(frozen=True, slots=True, kw_only=True)
class StepWork:
    """One optimizer step of one process.

    n_tokens : tokens of the step
    model_flops : of a forward and a backward pass of twice its work, as MFU counts
    done_flops : with what is computed twice: blocks under checkpointing, logits in chunks
    memory_share : of the model's FLOP, in [0, 1]
    bytes : moved from and to the GPU's memory: weights, optimizer and activations
    """

    n_tokens: int
    model_flops: float
    done_flops: float
    memory_share: float
    bytes: float


def forward_seconds(config: LM2Config, n_tokens: int, chip: Chip) -> float:
    """Time of a forward pass with bf16 weights over whole segments of one text, predicted."""
    weights = model_size(config).n_parameters * n_tokens / config.segment_length
    values = (_values_per_token(config) + config.vocab_size) * n_tokens
    flops = token_work(config, config.segment_length).flops * n_tokens
    return chip.seconds(flops, BYTES_BF16 * (weights + values))


def step_seconds(recipe: TextRecipe, config: LM2Config, chip: Chip) -> float:
    """Time of one step of the recipe, predicted."""
    work = step_work(recipe, config)
    return chip.seconds(work.done_flops, work.bytes)


def step_work(recipe: TextRecipe, config: LM2Config) -> StepWork:
    """The work of one step of the recipe with a model of this config."""
    token = token_work(config, config.segment_length)
    n_segments = recipe.accumulate * recipe.n_segments  # passes of a segment, of a batch each
    n_tokens = n_segments * recipe.batch_size * config.segment_length
    n_logits = n_tokens // recipe.accumulate * config.vocab_size
    twice = recipe.checkpointing * (token.blocks + token.memory) + (n_logits > LOGITS_AT_ONCE) * token.head
    values = _values_per_token(config) * (FUSED if recipe.compile else 1.0)
    per_segment = BYTES_PER_SEGMENT + BYTES_RECOMPUTED * recipe.checkpointing
    weights = (BYTES_PER_STEP + n_segments * per_segment) * model_size(config).n_parameters
    n_passes = 3 + recipe.checkpointing  # a backward pass moves what two forward passes do
    return StepWork(
        n_tokens=n_tokens,
        model_flops=3 * token.flops * n_tokens,
        done_flops=(3 * token.flops + 2 * twice) * n_tokens,
        memory_share=token.memory / token.total,
        bytes=weights + BYTES_BF16 * values * n_passes * n_tokens,
    )


def _values_per_token(config: LM2Config) -> float:
    """Values that the kernels of all blocks read and write for one token in a forward pass, not compiled."""
    block = STREAM_VALUES * config.hidden_size + MLP_VALUES * config.intermediate_size
    memory = MEMORY_VALUES * config.hidden_size
    return config.num_hidden_layers * block + len(config.memory_blocks) * memory
