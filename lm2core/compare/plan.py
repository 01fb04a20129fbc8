"""What a comparison trains and tests: presets, and the list of their runs.

The groups of rows follow the paper's questions (Kang et al. 2025, arXiv:2502.06049, sections 4.1 to 4.3):
accuracy by length, the cost of memory on plain text, how many blocks need memory; and how many slots. First
comes a race, in which every architecture has the learning rate that suited it best (group "rates"), stories
that grow when it masters them, and, but for LM2, four times LM2's steps. Later groups have one recipe.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any

from lm2core.baselines.architectures import ARCHITECTURES
from lm2core.compare.story_set import StorySet
from lm2core.errors import UserError
from lm2core.model.config import babi_tiny
from lm2core.training.recipe import Recipe
from lm2core.training.run_folder import MAY_CHANGE
from lm2core.training.text_recipe import TEXT_PRESETS, TextRecipe

GROUPS = ("rates", "race", "main", "text", "layers", "slots")  # in the order in which they run
ONE_RECIPE = ("lm2", "rmt", "llama-window", "llama-full")
ON_TEXT = ("lm2", "llama-full", "llama-window")
# Seconds on one core: a step on stories of 3 to 10 sentences, a step on text, a sentence of a test story.
# First estimates of the remaining time; finished runs correct them.
STEP_S = {"lm2": 0.45, "rmt": 0.90, "armt": 0.55, "llama-window": 0.10, "llama-full": 0.20}
TEXT_STEP_S = {"lm2": 0.60, "llama-window": 0.40, "llama-full": 0.40}
TEST_S = {"lm2": 4.5e-4, "rmt": 1.1e-3, "armt": 8e-4, "llama-window": 2.5e-4, "llama-full": 7e-4}
START_S = 10.0
N_BLOCKS = babi_tiny(vocab_size=1).num_hidden_layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One model to train and measure.

    name : also names its folder and result file
    tests : sets for a story model; a text model is measured on held-out text instead
    """

    name: str
    recipe: Recipe | TextRecipe
    tests: tuple[StorySet, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """All settings that determine the result and differ from their defaults, as JSON values."""
        recipe = {
            f.name: getattr(self.recipe, f.name)
            for f in fields(self.recipe)
            if f.name not in MAY_CHANGE - {"n_steps"}
            and (f.default is MISSING or getattr(self.recipe, f.name) != f.default)
        }
        tests = [asdict(test) for test in self.tests]
        settings: dict[str, Any] = json.loads(json.dumps(recipe | {"tests": tests}))
        return settings

    @property
    def key(self) -> str:
        """A digest of the settings: results with the same key are of the same run, whatever the version."""
        return hashlib.sha256(json.dumps(self.settings, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def kind(self) -> str:
        """Runs of one kind take about the same time per step."""
        return f"{type(self.recipe).__name__} {self.recipe.architecture}"

    @property
    def expected_s(self) -> float:
        """A first estimate of the seconds it takes on one core."""
        recipe, name = self.recipe, self.recipe.architecture
        if isinstance(recipe, TextRecipe):
            return START_S + recipe.n_steps * recipe.batch_size / 8 * TEXT_STEP_S[name]
        n_sentences = sum(test.length * test.n_stories for test in self.tests)
        return START_S + recipe.n_steps * recipe.n_stories / 32 * STEP_S[name] + n_sentences * TEST_S[name]


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: a model and its runs, from seed 0 on."""

    group: str
    label: str
    runs: tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """The rows of a comparison. Rows may share runs: LM2 itself is also the row "all blocks"."""

    name: str
    rows: tuple[Row, ...]

    def runs(self, groups: Collection[str] = GROUPS) -> tuple[Run, ...]:
        """The runs of the rows of ``groups``, each once: group by group, and within a group seed by seed."""
        ordered: dict[str, Run] = {}
        for group in (g for g in GROUPS if g in groups):
            of_group = [row.runs for row in self.rows if row.group == group]
            for of_one_seed in zip(*of_group, strict=True):
                ordered |= {run.name: run for run in of_one_seed}
        return tuple(ordered.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """The size of a comparison.

    recipe : of every run on stories, except for architecture, seed and what a group varies
    text_recipe : of every run on text, except for architecture and seed
    n_stories : in each test set
    lengths : numbers of sentences of the test stories
    noise : numbers of irrelevant sentences after ``n_told`` sentences of further test stories
    rates : learning rates that each architecture is tried with, on a seed of its own
    chosen : of each architecture, the rate of these that won and the steps it is trained for
    layers : blocks with memory, in place of all
    slots : numbers of slots, including the recipe's
    """

    name: str
    recipe: Recipe
    text_recipe: TextRecipe
    lengths: tuple[int, ...]
    noise: tuple[int, ...]
    n_told: int = 10
    n_stories: int = 200
    rates: tuple[float, ...] = (5e-4, 1e-3, 3e-3, 1e-2)
    chosen: Mapping[str, tuple[float, int]]
    layers: tuple[tuple[int, ...], ...] = ((0,), (0, 1))
    slots: tuple[int, ...] = (6, 12, 24, 48)
    n_seeds: int = 3
    architectures: tuple[str, ...] = ARCHITECTURES


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="babi-mini",
            # Of the groups that vary LM2: it masters the first stage in about 700 steps. All leave it then.
            recipe=Recipe(tasks=("qa1",), memory_slots=24, n_steps=1_500, stage_steps=(800, 200)),
            chosen={
                "lm2": (1e-3, 1_500),
                "llama-full": (1e-3, 6_000),
                **{name: (3e-3, 6_000) for name in ("rmt", "armt", "llama-window")},
            },
            text_recipe=replace(
                TEXT_PRESETS["text-tiny"], n_steps=400, held_out_every=10, eval_every=200, save_every=200
            ),
            lengths=(10, 20, 40, 80, 160, 320),
            noise=(10, 20, 40, 80, 160),
        ),
        # Checks within minutes that everything works; its numbers mean nothing.
        Preset(
            name="smoke",
            recipe=Recipe(
                tasks=("qa1",), memory_slots=24, n_steps=20, stage_steps=(10, 5), n_stories=8, save_every=10
            ),
            text_recipe=replace(
                TEXT_PRESETS["text-tiny"], n_steps=4, batch_size=2, n_warmup_steps=2, n_eval_blocks=4
            ),
            lengths=(5, 10),
            noise=(5,),
            n_told=4,
            n_stories=20,
            rates=(1e-3, 3e-3),
            chosen=dict.fromkeys(ARCHITECTURES, (1e-3, 20)),
            n_seeds=2,
        ),
    )
}


def get_preset(name: str) -> Preset:
    """The preset called ``name``; a UserError lists the known names if there is none."""
    if name not in PRESETS:
        raise UserError(f"unknown comparison preset {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]


def check_groups(groups: Collection[str]) -> None:
    """Refuse unknown groups with a UserError that lists the known ones."""
    unknown = sorted(set(groups) - set(GROUPS))
    if unknown:
        raise UserError(f"unknown group {', '.join(unknown)}; known: {', '.join(GROUPS)}")
    if not groups:
        raise UserError(f"no group given; choose from: {', '.join(GROUPS)}")


def make_plan(preset: Preset, *, n_seeds: int | None = None, n_steps: int | None = None) -> Plan:
    """All rows of ``preset``; ``n_seeds`` and ``n_steps`` replace its own numbers."""
    recipe, text_recipe = preset.recipe, preset.text_recipe
    if n_steps is not None:
        recipe, text_recipe = replace(recipe, n_steps=n_steps), replace(text_recipe, n_steps=n_steps)
    if n_steps is not None:
        preset = replace(preset, chosen={name: (rate, n_steps) for name, (rate, _) in preset.chosen.items()})
    n_seeds = n_seeds or preset.n_seeds
    tests, rows = _tests(preset), []
    for group in GROUPS:
        of_group, test_sets = (text_recipe, ()) if group == "text" else (recipe, tests)
        if group == "rates":
            test_sets = ()
        seeds = (n_seeds,) if group == "rates" else range(n_seeds)
        for label, name, changes in _models(group, preset, recipe):
            runs = (
                Run(
                    name=f"{name}-seed{seed}", recipe=replace(of_group, seed=seed, **changes), tests=test_sets
                )
                for seed in seeds
            )
            rows.append(Row(group, label, tuple(runs)))
    return Plan(preset.name, tuple(rows))


def _tests(preset: Preset) -> tuple[StorySet, ...]:
    """Every task at every length, and at one length with every amount of noise."""
    sizes = [*((n, 0) for n in preset.lengths), *((preset.n_told, n) for n in preset.noise)]
    return tuple(
        StorySet(task=task, n_told=n_told, n_noise=n_noise, n_stories=preset.n_stories)
        for task in preset.recipe.tasks
        for n_told, n_noise in sizes
    )


def _models(group: str, preset: Preset, recipe: Recipe) -> list[tuple[str, str, dict[str, Any]]]:
    """For each row of a group: its label, the name of its runs, and its changes to the recipe."""
    names = preset.architectures
    if group == "rates":
        return [
            (f"{name}, {rate:g}", f"rate-{rate:g}-{name}", _racing(preset, name) | {"learning_rate": rate})
            for name in names
            for rate in preset.rates
        ]
    if group == "race":
        return [(name, f"race-{name}", _racing(preset, name)) for name in names]
    if group == "main":
        return [(name, name, {"architecture": name}) for name in ONE_RECIPE if name in names]
    if group == "text":
        return [(name, f"text-{name}", {"architecture": name}) for name in ON_TEXT if name in names]
    if group == "layers":
        some = [
            (
                f"the first {len(blocks)} of {N_BLOCKS} blocks",
                f"lm2-blocks-{'-'.join(map(str, blocks))}",
                {"memory_layers": blocks},
            )
            for blocks in preset.layers
        ]
        return [*some, (f"all {N_BLOCKS} blocks", "lm2", {})]
    named = {n: "lm2" if n == recipe.memory_slots else f"lm2-slots-{n}" for n in preset.slots}
    return [(f"{n} slots", name, {"memory_slots": n}) for n, name in named.items()]


def _racing(preset: Preset, architecture: str) -> dict[str, Any]:
    """Changes to the recipe for the race: stages end when they are mastered."""
    rate, n_steps = preset.chosen[architecture]
    return {
        "architecture": architecture,
        "learning_rate": rate,
        "n_steps": n_steps,
        "stage_steps": None,
    }
