"""Recipes for training on text, as presets from laptop size to the paper's.

Source: Kang et al. 2025, arXiv:2502.06049, which gives sizes and data only: no sequence length, optimizer,
learning rate, batch size or number of steps. For these, the large presets use the defaults of the public code
(optimizer, schedule) and of its shell script (learning rate, steps, batch 1 x 2,048 tokens).
"""

from dataclasses import dataclass, field, replace

from lm2core.errors import UserError
from lm2core.training.recipe import RunRecipe, option


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecipe(RunRecipe):
    """The settings of training on text. A block is ``n_segments`` segments of the model's segment length.

    AdamW (0.9, 0.95), gradients clipped at 1, cosine decay to zero after the warm-up; weight decay on the
    matrices of linear layers only. A step uses ``batch_size * accumulate`` blocks per process.
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
        metadata=option(
            "A Llama to add a memory to, instead of the preset's model: folder, .gguf file or hub id."
        ),
    )
    memory_slots: int | None = None  # with a Llama: of the memory that is added
    memory_layers: tuple[int, ...] | None = None
    segment_length: int | None = field(
        default=None,
        metadata=option(
            "Tokens per segment; by default the preset's, for a Llama a quarter of its context.", least=1
        ),
    )
    attention_window: int | None = field(
        default=None,
        metadata=option(
            "Tokens before a segment that self-attention also sees; by default none, for a Llama the rest of "
            "its context.",
            least=0,
        ),
    )
    freeze_backbone: bool = field(
        default=False, metadata=option("With --llama: train only the memory.", flag="--freeze-backbone")
    )
    vocab_size: int = 32_768  # at most, of a tokenizer trained on the text
    n_segments: int = field(metadata=option("Segments of a block, through which a bank lasts.", least=1))
    batch_size: int = field(metadata=option("Blocks in one pass, per process.", flag="--batch", least=1))
    accumulate: int = field(default=1, metadata=option("Passes per step (gradient accumulation).", least=1))
    backprop_segments: int = field(
        default=0,
        metadata=option("Gradients run back through this many segments; 0: all of a block.", least=0),
    )
    n_shuffle: int = 1_000  # blocks in the shuffle buffer
    held_out_every: int = 50  # the first of every so many pieces of text is held out for evaluation
    n_eval_blocks: int = 64
    eval_every: int = 500  # optimizer steps
    bf16: bool = field(  # weights and optimizer stay in float32
        default=False, metadata=option("Mixed precision.", flag="--bf16/--no-bf16")
    )
    checkpointing: bool = field(  # compute activations twice instead of keeping them
        default=False,
        metadata=option("Use less memory, with slower steps.", flag="--checkpointing/--no-checkpointing"),
    )

    learning_rate: float = 6e-4
    n_warmup_steps: int = 700
    weight_decay: float = 0.1
    save_every: int = 500  # optimizer steps


def share_out(recipe: TextRecipe, n_before: int, n_now: int) -> TextRecipe:
    """The recipe for another number of processes: as many blocks a step, passes no larger than before.

    Raises
    ------
    UserError
        When the blocks of a step cannot be divided equally.
    """
    if n_now == n_before:
        return recipe
    n_blocks = recipe.batch_size * recipe.accumulate * n_before
    if n_blocks % n_now:
        divisors = [str(n) for n in range(1, n_blocks + 1) if n_blocks % n == 0]
        raise UserError(
            f"a step of this run has {n_blocks} blocks, which {n_now} processes cannot share equally; "
            f"resume it with {' or '.join(divisors)}"
        )
    each = n_blocks // n_now
    accumulate = next(n for n in range(1, each + 1) if each % n == 0 and each // n <= recipe.batch_size)
    return replace(recipe, batch_size=each // accumulate, accumulate=accumulate)


# Paper: sizes, equations. Public code: AdamW (0.9, 0.95), decay 0.1, clip 1, warm-up 700, cosine. Its shell
# script: learning rate 2e-4, 600,000 steps, one sequence of 2,048 tokens, here one segment. Ours: bf16,
# checkpointing, compiling, and four segments per block, because a write that is never read learns nothing.
_LARGE = TextRecipe(
    model="lm2-1.7b",
    n_segments=4,
    batch_size=1,
    n_steps=600_000,
    learning_rate=2e-4,
    bf16=True,
    checkpointing=True,
    compile=True,
)

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
    # Ours: a memory for a Llama that is trained already, so at a low rate. Not tuned.
    "llama": TextRecipe(
        model="llama",
        n_segments=4,
        batch_size=1,
        accumulate=8,
        n_steps=2_000,
        learning_rate=1e-4,
        n_warmup_steps=100,
        bf16=True,
        checkpointing=True,
    ),
    "lm2-1.7b": _LARGE,
    "lm2-2b-content": replace(_LARGE, model="lm2-2b-content"),
}
