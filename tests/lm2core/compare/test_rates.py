"""How fast a model learned, and which learning rate that makes the best."""

import json
from dataclasses import replace

import pytest

from lm2core.compare.markdown import as_markdown
from lm2core.compare.measures import learning
from lm2core.compare.plan import make_plan
from lm2core.compare.table import make_table
from tests.lm2core.compare.presets import TINY

RATES = (1e-3, 3e-3, 8e-3)


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([(10, 0, 0.97), (20, 1, 0.4), (30, 1, 0.96), (40, 1, 0.93)], (1, 0.93, 30)),
        ([(10, 0, 0.99), (20, 0, 0.98)], (0, 0.98, None)),
        ([(10, 0, 0.6), (20, 1, 0.949)], (1, 0.949, None)),
    ],
    ids=["mastered", "in the first stage", "not quite"],
)
def test_a_model_has_mastered_its_stories_when_it_is_right_in_the_last_stage(tmp_path, steps, expected):
    lines = [{"step": n, "stage": stage, "accuracy_qa1": share} for n, stage, share in steps]
    lines.append({"step": steps[-1][0], "train_runtime": 2.5})  # as a trainer ends
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    learned = learning(tmp_path, "qa1", n_stages=2)
    assert (learned["stage"], learned["accuracy"], learned["steps_to_mastery"]) == expected


def of_rates(*learned):
    """The table of a search in which the first architecture learned in these ways."""
    plan = make_plan(replace(TINY, rates=RATES))
    results = {
        run.name: {
            "measured": {"learning": {"stage": s, "n_stages": 3, "accuracy": a, "steps_to_mastery": n}}
        }
        for run, (s, a, n) in zip(plan.runs(["rates"]), learned, strict=False)
    }
    return make_table(plan, results)


@pytest.mark.parametrize(
    ("learned", "best"),
    [
        ([(2, 0.99, 900), (2, 0.96, 700), (1, 0.7, None)], 3e-3),
        ([(1, 0.9, None), (2, 0.5, None), (2, 0.6, None)], 8e-3),
        ([(0, 0.5, None), (0, 0.4, None), (0, 0.3, None)], 1e-3),
    ],
    ids=["first to master", "furthest", "most accurate"],
)
def test_the_best_rate_masters_the_stories_first_or_comes_furthest(learned, best):
    table = of_rates(*learned)
    assert [entry["learning_rate"] for entry in table["rates"] if entry["is_best"]] == [best]
    text = as_markdown(table)
    (row,) = (line for line in text.splitlines() if f"**{best:g}**" in line)
    stage, accuracy, steps = learned[RATES.index(best)]
    assert row.startswith("| LM2 |")
    assert row.endswith(f"| {steps or 'never'} | {stage + 1} of 3 | {accuracy:.1%} |")
