"""Recipes for training on text, as presets from laptop size to the paper's.

Source: Kang et al. 2025, arXiv:2502.06049, which gives sizes and data only: no sequence length, optimizer,
learning rate, batch size or number of steps. For these, ``lm2-1.7b`` uses the defaults of the public code
(optimizer, schedule) and of its shell script (learning rate, steps, batch 1 x 2,048 tokens).
"""

from collections.abc import Callable
from dataclasses import dataclass

from lm2core.model.config import LM2Config, base, lm2_1_7b
from lm2core.training.recipe import RunRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe(RunRecipe):
    """The settings of training on text. A block is ``n_segments`` segments of the model's segment length.

    AdamW (0.9, 0.95), gradients clipped at 1, cosine decay to zero after the warm-up; weight decay on the
    matrices of linear layers only. A step uses ``batch_size * accumulate`` blocks per process.
    """

    model: str  # a name in MODELS
    text: str = ""  # a file, a folder or a hub data set, see corpus.py
    tokenizer: str = ""  # a folder or a Hugging Face id; none: the Llama's, or train one on the text
    llama: str = ""  # a Llama to start from, folder or id, in place of the preset's model
    memory_slots: int = 0  # of the memory that is added to the Llama
    freeze_backbone: bool = False  # train only that memory
    vocab_size: int = 32_768  # at most, of a tokenizer trained on the text
    n_segments: int  # per block; a bank lasts for one block
    batch_size: int  # blocks in one pass, per process
    accumulate: int = 1  # passes per step, whose gradients are accumulated
    backprop_segments: int = 0  # gradients run back through this many segments; 0: all of a block
    n_shuffle: int = 1_000  # blocks in the shuffle buffer
    held_out_every: int = 50  # the first of every so many pieces of text is held out for evaluation
    n_eval_blocks: int = 64
    eval_every: int = 500  # optimizer steps
    bf16: bool = False  # mixed precision: weights and optimizer stay in float32
    checkpointing: bool = False  # compute activations twice instead of keeping them

    learning_rate: float = 6e-4
    n_warmup_steps: int = 700
    weight_decay: float = 0.1
    save_every: int = 500  # optimizer steps


def text_tiny(*, vocab_size: int) -> LM2Config:
    """A model for your own text that trains on a laptop's CPU within minutes."""
    return LM2Config(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        memory_slots=32,
        segment_length=64,
    )


MODELS: dict[str, Callable[..., LM2Config]] = {
    "text-tiny": text_tiny,
    "base": base,
    "lm2-1.7b": lm2_1_7b,
}

TEXT_PRESETS = {
    # Ours: for a first try, on any machine.
    "text-tiny": TextRecipe(
        model="text-tiny",
        vocab_size=2_048,
        n_segments=4,
        batch_size=8,
        n_steps=600,
        learning_rate=2e-3,
        n_warmup_steps=50,
        eval_every=100,
        save_every=100,
    ),
    # Ours: the paper's optimizer on a model for one small GPU.
    "base": TextRecipe(model="base", n_segments=4, batch_size=4, accumulate=8, n_steps=50_000, bf16=True),
    # Paper: sizes. Public code: AdamW (0.9, 0.95), decay 0.1, clip 1, warm-up 700, cosine. Its shell
    # script: learning rate 2e-4, 600,000 steps, one sequence of 2,048 tokens, here one segment. Ours: bf16,
    # checkpointing, and four segments per block, because a write that is never read learns nothing.
    "lm2-1.7b": TextRecipe(
        model="lm2-1.7b",
        n_segments=4,
        batch_size=1,
        n_steps=600_000,
        learning_rate=2e-4,
        bf16=True,
        checkpointing=True,
    ),
}
