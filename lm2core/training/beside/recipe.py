"""The recipe of a memory beside a frozen Llama: sizes, data and steps of each stage."""

from dataclasses import dataclass, field

from lm2core.babilong.background_text import PYTHON
from lm2core.training.recipe import RunRecipe, option


@dataclass(frozen=True, slots=True, kw_only=True)
class BesideRecipe(RunRecipe):
    """The settings of training beside a Llama; ``n_steps`` are those of the last stage, on stories."""

    llama: str = field(
        default="smollm2",
        metadata=option(
            "A Llama to add a memory to, instead of the preset's model: folder, .gguf file or hub id."
        ),
    )
    noise: str = field(  # see babilong/background_text.py
        default=PYTHON,
        metadata=option(
            'Text to hide the stories in; a file, a folder, a hub data set\'s id, or "python" for the '
            "documentation that every Python has."
        ),
    )
    memory_slots: int = field(
        default=128, metadata=option("Slots of a new memory, on stories or with --llama.", least=1)
    )
    memory_width: int = 384  # three parts, see layout.py; a multiple of the width of the Llama's heads
    tap: float = 0.5  # the block whose stream the memory sees beside the embedding, as a share of the depth
    first_id: int = 0  # the token that begins a sentence: the end of text, as in the Llama's pretraining
    per_person: int = 7  # places of each person
    n_names: int = 4_000  # that are made up, beside the people of the lexicon
    per_name: int = 2
    n_background: int = 1_200  # sentences
    most_tokens: int = 48  # of a background sentence
    n_content_steps: int = 1_400
    n_address_steps: int = 1_500
    n_steps: int = field(
        default=40, metadata=option("Optimizer steps; by default the preset's.", flag="--steps", least=1)
    )
    n_stories: int = 16  # in a step
    most_sentences: int = 10
    background_share: float = 0.3  # of a story's sentences
    n_questions: int = 1  # after each sentence
    learning_rate: float = 1e-3
    n_warmup_steps: int = 30
    weight_decay: float = 0.0
    log_every: int = 25


# Settings of every recipe that this training does not have: it has one architecture, and no checkpoints.
BESIDE_UNUSED = ("architecture", "n_warmup_steps", "compile", "save_every", "keep_all", "report_to")
BESIDE_PRESETS = {"smollm2-stories": BesideRecipe()}
