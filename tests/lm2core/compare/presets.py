"""A comparison small enough for tests: two architectures, two seeds, three steps."""

from dataclasses import replace

from lm2core.compare.plan import Preset
from lm2core.training.recipe import Recipe
from lm2core.training.text_recipe import TEXT_PRESETS
from tests.conftest import ROOT

TINY = Preset(
    name="tiny",
    recipe=Recipe(
        tasks=("qa1",),
        memory_slots=7,
        n_steps=3,
        stage_steps=(1, 1),
        n_stories=4,
        save_every=1,
        log_every=1,
    ),
    text_recipe=replace(
        TEXT_PRESETS["text-tiny"],
        text=str(ROOT / "docs" / "ARCHITECTURE.md"),
        n_steps=2,
        batch_size=1,
        n_warmup_steps=1,
        n_eval_blocks=3,
        vocab_size=300,
    ),
    lengths=(4, 9),
    noise=(3,),
    n_told=5,
    n_stories=6,
    rates=(4e-3,),
    chosen={"lm2": (4e-3, 3), "llama-window": (4e-3, 5)},
    layers=((1,),),
    slots=(7, 5),
    n_seeds=2,
    architectures=("lm2", "llama-window"),
)
