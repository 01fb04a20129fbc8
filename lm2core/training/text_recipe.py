"""Recipes for training on text, as presets from a laptop to the paper's size.

Sources: Kang et al. 2025, arXiv:2502.06049, states sizes and data only: no sequence length, optimizer,
learning rate, batch or number of steps. Where it is silent ``lm2-1.7b`` takes the defaults of the public code
(optimizer, schedule) and of its shell script (learning rate, steps, batch 1 x 2,048 tokens).
"""

from dataclasses import dataclass, field

from lm2core.training.recipe import RunRecipe, option


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe(RunRecipe):
    """How a preset is trained on text. A block is ``n_segments`` segments of the model's segment length.

    AdamW (0.9, 0.95), gradients clipped at 1, cosine to zero after the warm-up; weight decay on the matrices
    of linear layers only. A step sees ``batch_size * accumulate`` blocks in every process.
    """

    model: str  # a name in text_models.MODELS
    text: str = field(  # see corpus.py
        default="",
        metadata=option("Text to train on: a file, a folder (.txt, .md, .jsonl), or a hub data set's id."),
    )
    tokenizer: str = field(
        default="",
        metadata=option(
            "Tokenizer's folder or Hugging Face id; by default the Llama's, or one is trained on the text."
        ),
    )
    llama: str = field(
        default="",
        metadata=option("A Llama to give a memory to, not the preset's model; folder or Hugging Face id."),
    )
    memory_slots: int = 0  # of the memory that the Llama gets
    freeze_backbone: bool = field(
        default=False, metadata=option("With --llama: train only the memory.", flag="--freeze-backbone")
    )
    vocab_size: int = 32_768  # of a tokenizer that is trained on the text, at most
    n_segments: int  # of a block; a bank lives as long as a block
    batch_size: int = field(metadata=option("Blocks in one pass, per process.", flag="--batch", least=1))
    accumulate: int = field(
        default=1, metadata=option("Passes whose gradients make one step; saves memory.", least=1)
    )
    backprop_segments: int = field(
        default=0,
        metadata=option("Gradients run back through so many segments; 0: all of a block.", least=0),
    )
    n_shuffle: int = 1_000  # blocks held, of which the next one is drawn
    held_out_every: int = 50  # the first of so many pieces of text is for evaluation
    n_eval_blocks: int = 64
    eval_every: int = 500  # optimizer steps
    bf16: bool = field(  # weights and optimizer stay in 32 bits
        default=False, metadata=option("Mixed precision.", flag="--bf16/--no-bf16")
    )
    checkpointing: bool = field(  # activations are computed twice instead of kept
        default=False,
        metadata=option("Less memory, slower steps.", flag="--checkpointing/--no-checkpointing"),
    )

    learning_rate: float = 6e-4
    n_warmup_steps: int = 700
    weight_decay: float = 0.1
    save_every: int = 500  # optimizer steps


TEXT_PRESETS = {
    # Ours: for a first look, on any machine.
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
    # checkpointing, and four segments to a block, for a write that is never read learns nothing.
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
