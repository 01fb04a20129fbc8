"""Plans: what is run, in which order, on the same stories for everybody."""

from dataclasses import replace

import pytest
import torch

from lm2core.baselines.architectures import ARCHITECTURES
from lm2core.compare.plan import GROUPS, ONE_RECIPE, PRESETS, Run, check_groups, get_preset, make_plan
from lm2core.compare.results import read_results
from lm2core.compare.table import rates
from lm2core.training.batches import StorySource
from lm2core.training.recipe import Recipe
from lm2core.training.stories import train
from tests.conftest import ROOT
from tests.lm2core.compare.presets import TINY

CHOSEN = dict.fromkeys(ARCHITECTURES, (4e-3, 3))


def test_the_race_comes_first_all_architectures_of_one_seed_before_the_next():
    names = [run.name for run in make_plan(PRESETS["babi-mini"]).runs()]
    n = len(ARCHITECTURES)
    assert names[:4] == [f"rate-{rate}-lm2-seed3" for rate in ("0.0005", "0.001", "0.003", "0.01")]
    assert names[4 * n : 5 * n] == [f"race-{name}-seed0" for name in ARCHITECTURES]
    assert names[5 * n : 6 * n] == [f"race-{name}-seed1" for name in ARCHITECTURES]
    assert names[7 * n : 7 * n + 4] == [f"{name}-seed0" for name in ONE_RECIPE]
    assert len(names) == len(set(names)) == 4 * n + 3 * n + 12 + 9 + 6 + 9
    assert [name.split("-seed")[0] for name in names[7 * n + 12 : 7 * n + 15]] == [
        "text-lm2",
        "text-llama-full",
        "text-llama-window",
    ]


def test_babi_mini_is_tested_at_thirty_two_times_the_length_it_is_trained_at():
    assert max(PRESETS["babi-mini"].lengths) == 32 * 10


def test_lm2_itself_is_the_row_of_all_blocks_and_of_its_own_number_of_slots():
    plan = make_plan(TINY)
    rows = {(row.group, row.label): row.runs for row in plan.rows}
    assert (
        rows["main", "lm2"]
        == rows["layers", "all 4 blocks"]
        == rows["slots", "7 slots"]
        != rows["slots", "5 slots"]
    )
    assert [run.name for run in plan.runs(["layers"])] == [
        "lm2-blocks-1-seed0",
        "lm2-seed0",
        "lm2-blocks-1-seed1",
        "lm2-seed1",
    ]


def test_in_the_race_each_architecture_has_its_own_rate_and_steps_and_masters_its_stages():
    preset = replace(TINY, rates=(2e-3, 5e-3))
    plan = make_plan(preset)
    for name, (rate, n_steps) in TINY.chosen.items():
        raced, tried = (
            [run for run in plan.runs([group]) if run.recipe.architecture == name]
            for group in ("race", "rates")
        )
        assert {(run.recipe.learning_rate, run.recipe.n_steps) for run in raced} == {(rate, n_steps)}
        assert {run.recipe.stage_steps for run in raced + tried} == {None}
        assert [run.recipe.seed for run in raced] == [0, 1]
        assert [(run.recipe.learning_rate, run.recipe.seed, run.tests) for run in tried] == [
            (rate, 2, ())
            for rate in preset.rates  # no seed of the race, and no test
        ]


def test_baselines_of_the_race_have_four_times_the_steps_of_lm2():
    chosen = PRESETS["babi-mini"].chosen
    assert set(chosen) == set(ARCHITECTURES)
    assert {n_steps / chosen["lm2"][1] for name, (_, n_steps) in chosen.items() if name != "lm2"} == {4}


def test_the_chosen_rates_are_those_that_the_published_search_found_best():
    plan, folder = make_plan(PRESETS["babi-mini"]), ROOT / "docs" / "comparison"
    searched = rates(plan, read_results(folder, plan))
    best = {entry["architecture"]: entry["learning_rate"] for entry in searched if entry["is_best"]}
    assert best == {name: PRESETS["babi-mini"].chosen[name][0] for name in best}
    assert "lm2" in best


def test_every_model_of_a_seed_is_trained_on_the_same_stories(tmp_path, monkeypatch):
    """Also when stories have grown: a stage lasts as long for all."""
    seen: dict[str, list[torch.Tensor]] = {}
    draw = StorySource.batch

    def watched(self, *args):
        batch = draw(self, *args)
        seen[run.name] += [batch.story_ids, batch.question_ids, batch.answer_ids]
        return batch

    monkeypatch.setattr(StorySource, "batch", watched)
    for run in make_plan(replace(TINY, architectures=ARCHITECTURES, chosen=CHOSEN), n_seeds=2).runs(["main"]):
        seen[run.name] = []
        train(run.recipe, tmp_path / run.name)

    def same(a, b) -> bool:
        return len(a) == len(b) == 9 and all(map(torch.equal, a, b))

    assert all(same(seen["lm2-seed0"], seen[f"{name}-seed0"]) for name in ONE_RECIPE)
    assert not same(seen["lm2-seed0"], seen["lm2-seed1"])


def test_a_key_depends_on_what_decides_the_result_and_on_nothing_else():
    run = Run(name="a", recipe=Recipe(n_steps=7))
    assert run.key == Run(name="b", recipe=Recipe(n_steps=7, compile=True, save_every=3)).key
    others = [Recipe(n_steps=8), Recipe(n_steps=7, seed=1), Recipe(n_steps=7, memory_slots=5)]
    tests = make_plan(TINY).runs()[-1].tests
    keys = {Run(name="a", recipe=recipe).key for recipe in others} | {replace(run, tests=tests).key}
    assert len(keys | {run.key}) == 5


def test_other_numbers_of_seeds_and_steps_reach_every_run():
    plan = make_plan(PRESETS["smoke"], n_seeds=1, n_steps=5)
    assert {run.recipe.seed for run in plan.runs(["race", "main", "text", "layers", "slots"])} == {0}
    assert {run.recipe.n_steps for run in plan.runs()} == {5}


def test_unknown_presets_and_groups_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown comparison preset 'babi'; known: babi-mini, smoke"):
        get_preset("babi")
    with pytest.raises(ValueError, match=f"unknown group blocks; known: {', '.join(GROUPS)}"):
        check_groups(["main", "blocks"])
