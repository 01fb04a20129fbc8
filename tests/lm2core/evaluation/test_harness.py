"""The evaluation harness from task to table, and the command."""

import json
import math
from collections import Counter

import pytest

from lm2core.cli.harness import on_harness
from lm2core.evaluation.harness import run_harness
from tests.lm2core.evaluation.expected import (
    CONTEXTS,
    DOCS,
    EVERY_ARCHITECTURE,
    FOLDER,
    make_lm,
    pair_score,
    run,
    story_score,
    written,
)


@EVERY_ARCHITECTURE
def test_the_harness_reports_figures_computed_by_hand(architecture, only_own_tasks):
    lm = make_lm(architecture)
    names = ["lm2_where", "lm2_where_write", "lm2_stories"]
    rows = {(row["task"], row["metric"]): row for row in run(lm, names, batch_size=3)}
    assert {key: row["value"] for key, row in rows.items()} == pytest.approx(_by_hand(lm), rel=1e-4)
    assert {row["model"] for row in rows.values()} == {"tiny"}
    assert {row["harness"] for row in rows.values()} == {"0.4.13"}
    chance = (1 / 2 + 1 / 3 + 1 / 4 + 1 / 2 + 1 / 3) / 5
    for task, n in (("lm2_where_choice", 5), ("lm2_where", 10)):
        assert rows[task, "acc"]["chance"] == pytest.approx(chance)
        assert rows[task, "acc"]["n"] == n
    accuracy = rows["lm2_where_choice", "acc"]
    assert accuracy["stderr"] == pytest.approx(math.sqrt(accuracy["value"] * (1 - accuracy["value"]) / 4))
    assert rows["lm2_where_write", "exact_match"]["chance"] is None
    assert json.loads(json.dumps(list(rows.values()))) == list(rows.values())


def _by_hand(lm):
    """The figures of the task files, from one run of the model a text."""
    right = Counter()
    for context, doc in zip(CONTEXTS, DOCS, strict=True):
        for task, text in (("choice", context), ("no_story", doc["question"])):
            scores = [pair_score(lm, text, f" {choice}")[0] for choice in doc["choices"]]
            per_char = [score / len(choice) for score, choice in zip(scores, doc["choices"], strict=True)]
            for metric, of_choices in (("acc", scores), ("acc_norm", per_char)):
                best = doc["choices"][max(range(len(scores)), key=of_choices.__getitem__)]
                right[task, metric] += best == doc["answer"]
        right["write"] += written(lm, context, 9, ".") == doc["answer"]
    stories = [doc["story"] for doc in DOCS]
    total = sum(story_score(lm, story) for story in stories)
    both = right["choice", "acc"] + right["no_story", "acc"]
    return {
        ("lm2_where_choice", "acc"): right["choice", "acc"] / 5,
        ("lm2_where_choice", "acc_norm"): right["choice", "acc_norm"] / 5,
        ("lm2_where_no_story", "acc"): right["no_story", "acc"] / 5,
        ("lm2_where_no_story", "acc_norm"): right["no_story", "acc_norm"] / 5,
        ("lm2_where", "acc"): both / 10,
        ("lm2_where_write", "exact_match"): right["write"] / 5,
        ("lm2_stories", "word_perplexity"): math.exp(-total / sum(len(s.split()) for s in stories)),
        ("lm2_stories", "bits_per_byte"): -total / sum(len(s.encode()) for s in stories) / math.log(2),
    }


def test_limit_and_worked_examples_are_the_harnesses(only_own_tasks):
    (row, *_) = run(make_lm(), ["lm2_where_choice"], limit=3, n_shot=1)
    assert (row["n"], row["n_shot"]) == (3, 1)
    assert row["chance"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_the_command_shows_a_row_a_figure_and_nothing_for_what_is_unknown(only_own_tasks, tmp_path, capsys):
    lm = make_lm("rmt")
    lm.model.save_pretrained(tmp_path)
    lm.tokenizer.save_pretrained(tmp_path)
    rows = on_harness(str(tmp_path), "lm2_where_choice, lm2_where_write", include_path=FOLDER)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[0][-2:] == [f"{sum(p.numel() for p in lm.model.parameters()):,}", "parameters"]
    shown = f"{rows[0]['value']:.4g}", f"{rows[0]['stderr']:.4g}"
    assert ["lm2_where_choice", "acc", *shown, "0.3833", "5", "0"] in lines
    assert ["lm2_where_write", "exact_match", "0", "0", "5", "0"] in lines


@pytest.mark.parametrize(
    ("changes", "n_right"),
    [
        ("doc_to_target: '{{[0, 1]}}'\nmetric_list: [{metric: acc}]\n", 2),
        ("metric_list: [{metric: acc}, {metric: acc_mutual_info}]\n", 1),
    ],
    ids=["several right choices", "choices also scored by themselves"],
)
def test_chance_is_the_share_of_right_choices(changes, n_right, only_own_tasks, tmp_path):
    (tmp_path / "task.yaml").write_text(f"include: {FOLDER / 'where_choice.yaml'}\ntask: own\n{changes}")
    row, *_ = run_harness(make_lm(), ["own"], include_path=tmp_path, limit=3)
    assert row["chance"] == pytest.approx(n_right * (1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_the_length_reaches_a_task_that_makes_its_data(only_own_tasks, tmp_path):
    """As BABILong's tasks take it; they fetch their data."""
    (tmp_path / "data.py").write_text(
        "import datasets\n"
        "def load(max_seq_lengths='0k', **_):\n"
        "    return {'test': datasets.Dataset.from_list([{'text': 'ab', 'length': max_seq_lengths}])}\n"
    )
    (tmp_path / "task.yaml").write_text(
        "task: own\ncustom_dataset: !function data.load\ndataset_path: own\ntest_split: test\n"
        "output_type: generate_until\ndoc_to_text: '{{text}}'\n"
        "doc_to_target: '{{1 / 0 if length != \"4k\"}}'\n"
        "generation_kwargs: {until: [], max_gen_toks: 2}\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    )
    (row,) = run_harness(make_lm(), ["own"], include_path=tmp_path, length="4k")
    assert row["length"] == "4k"
