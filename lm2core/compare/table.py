"""The table of a comparison as JSON values, from result files alone.

Accuracies are fractions in [0, 1]; every value is a mean over seeds with its 95 % interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import inf
from statistics import fmean
from typing import Any

from lm2core.compare import published
from lm2core.compare.plan import Plan, Row
from lm2core.compare.results import Result
from lm2core.compare.seeds import OverSeeds, difference_over_seeds, over_seeds, share_over_seeds
from lm2core.errors import UserError

WORDS = {"more": "LM2 wins", "less": "LM2 loses", "not decided": "not decided"}
COSTS = {"more": "memory hurts", "less": "memory helps", "not decided": "not decided"}
SET = ("task", "unit", "length", "noise")  # identify the set of stories of a score

Entry = dict[str, Any]


def make_table(plan: Plan, results: Mapping[str, Result]) -> Entry:
    """All results of a comparison, finished or not; ``missing`` names the unfinished runs."""
    runs = plan.runs()
    rows = [row for row in plan.rows if any(run.name in results for run in row.runs)]
    on_stories = [row for row in rows if row.group not in ("rates", "text")]
    trained = [row for row in rows if row.group != "rates"]
    once = {row.runs: row for row in reversed(trained)}  # LM2 itself is a row of both ablations
    return {
        "plan": plan.name,
        "n_runs": len(runs),
        "missing": [run.name for run in runs if run.name not in results],
        "rates": rates(plan, results),
        "training": [_training(row, results) for row in reversed(once.values())],
        "accuracy": [entry for row in on_stories for entry in _accuracies(row, results)],
        "lm2_against": _against(plan, results),
        "perplexity": _perplexities(rows, results),
        "bank_change": _bank_changes(rows, results),
        "published": {
            "models": published.MODELS,
            "babilong": dict(published.BABILONG),
            "qa1": dict(published.QA1),
            "mmlu": dict(published.MMLU),
            "contradictions": published.CONTRADICTIONS,
        },
    }


def rates(plan: Plan, results: Mapping[str, Result]) -> list[Entry]:
    """How each architecture learned at each rate, and which rate is best: the first to master the stories.

    Where none does, the one that came furthest.
    """
    entries = []
    for row in plan.rows:
        for result in _done(row, results) if row.group == "rates" else ():
            recipe = row.runs[0].recipe
            about = {"architecture": recipe.architecture, "learning_rate": recipe.learning_rate}
            entries.append(about | {"n_steps": recipe.n_steps} | result["measured"]["learning"])
    for architecture in {entry["architecture"] for entry in entries}:
        tried = [entry for entry in entries if entry["architecture"] == architecture]
        best = min(tried, key=_slowness)
        for entry in tried:
            entry["is_best"] = entry is best
    return entries


def _slowness(learned: Entry) -> tuple[float, ...]:
    steps = learned["steps_to_mastery"]
    return (inf if steps is None else steps, -learned["stage"], -learned["accuracy"])


def _done(row: Row, results: Mapping[str, Result]) -> list[Result]:
    return [results[run.name] for run in row.runs if run.name in results]


def _about(row: Row) -> Entry:
    return {
        "group": row.group,
        "label": row.label,
        "architecture": row.runs[0].recipe.architecture,
        "n_seeds_planned": len(row.runs),
    }


def _interval_columns(estimate: OverSeeds, values: Sequence[float]) -> Entry:
    numbers = asdict(estimate)
    return {"n_seeds": numbers.pop("n"), **numbers, "by_seed": list(values)}


def _training(row: Row, results: Mapping[str, Result]) -> Entry:
    """Size and training time of the models of a row."""
    done = _done(row, results)
    return _about(row) | {
        "n_seeds": len(done),
        "n_parameters": done[0]["n_parameters"],
        "n_steps": row.runs[0].recipe.n_steps,
        "learning_rate": row.runs[0].recipe.learning_rate,
        "steps_to_mastery": [
            result["measured"]["learning"]["steps_to_mastery"]
            for result in done
            if "learning" in result["measured"]
        ],
        "wall_s": [result["wall_s"] for result in done],
    }


def _accuracies(row: Row, results: Mapping[str, Result]) -> list[Entry]:
    """One entry per set of stories, with the floors that need no model and the untrained control."""
    measured = [result["measured"] for result in _done(row, results)]
    entries = []
    for i, score in enumerate(measured[0]["scores"]):
        shares = [m["scores"][i]["accuracy"] for m in measured]
        entries.append(
            _about(row)
            | {name: score[name] for name in (*SET, "n", "majority", "last_mentioned")}
            | _interval_columns(share_over_seeds(shares, score["n"]), shares)
            | {"untrained": fmean(m["untrained"][i]["accuracy"] for m in measured)}
        )
    return entries


def _against(plan: Plan, results: Mapping[str, Result]) -> list[Entry]:
    """LM2 minus each baseline on every set of stories, paired by seed, with the verdict."""
    lm2_of = {row.group: row for row in plan.rows if row.label == "lm2"}
    baselines = [row for row in plan.rows if row.group in ("race", "main") and row.label != "lm2"]
    entries = []
    for row in baselines:
        pairs = _pairs(lm2_of[row.group], row, results) if row.group in lm2_of else []
        for i, score in enumerate(pairs[0][0]["scores"] if pairs else ()):
            accuracies = [(a["scores"][i]["accuracy"], b["scores"][i]["accuracy"]) for a, b in pairs]
            difference = difference_over_seeds(accuracies, score["n"])
            entries.append(
                _about(row)
                | {name: score[name] for name in SET}
                | _difference(difference, row)
                | {"verdict": WORDS[difference.decides]}
            )
    return entries


def _pairs(one: Row, other: Row, results: Mapping[str, Result]) -> list[tuple[Entry, Entry]]:
    """The measurements of both rows for each seed that both have finished."""
    return [
        (results[a.name]["measured"], results[b.name]["measured"])
        for a, b in zip(one.runs, other.runs, strict=True)
        if a.name in results and b.name in results
    ]


def _difference(difference: OverSeeds, row: Row) -> Entry:
    return {
        "n_seeds": difference.n,
        "n_seeds_planned": len(row.runs),
        "difference": difference.mean,
        "low": difference.low,
        "high": difference.high,
    }


def _perplexities(rows: Sequence[Row], results: Mapping[str, Result]) -> list[Entry]:
    """Perplexity of held-out text; for baselines also LM2's loss minus theirs in nats, paired by seed."""
    on_text = {row.label: row for row in rows if row.group == "text"}
    _check_same_text([result for row in on_text.values() for result in _done(row, results)])
    entries = []
    for label, row in on_text.items():
        measured = [result["measured"] for result in _done(row, results)]
        names = ("n_tokens", "perplexity_of_frequencies", "text_sha256")
        entry = _about(row) | {name: measured[0][name] for name in names}
        perplexities = [m["perplexity"] for m in measured]
        entry |= _interval_columns(over_seeds(perplexities), perplexities)
        pairs = _pairs(on_text["lm2"], row, results) if label != "lm2" and "lm2" in on_text else []
        if pairs:
            difference = over_seeds([a["loss"] - b["loss"] for a, b in pairs])
            entry["lm2_against"] = _difference(difference, row) | {"verdict": COSTS[difference.decides]}
        entries.append(entry)
    return entries


def _check_same_text(results: Sequence[Result]) -> None:
    if len({result["measured"]["text_sha256"] for result in results}) > 1:
        names = ", ".join(result["run"] for result in results)
        raise UserError(
            f"the runs {names} used different texts: Python's help topics differ between versions; "
            "repeat them with one version of Python"
        )


def _bank_changes(rows: Sequence[Row], results: Mapping[str, Result]) -> list[Entry]:
    """Change of the bank per token in LM2 itself, by block and by what is read, trained and untrained."""
    lm2 = next((row for row in rows if (row.group, row.label) == ("main", "lm2")), None)
    if lm2 is None:
        return []
    changes = [result["measured"]["bank_change"] for result in _done(lm2, results)]
    entries = []
    for i, entry in enumerate(changes[0]["trained"]):
        of_seeds = {
            state: [change[state][i]["change_per_token"] for change in changes]
            for state in ("trained", "untrained")
        }
        entries.append(
            {name: entry[name] for name in ("reads", "block", "n")}
            | {
                state: {"n_seeds_planned": len(lm2.runs)} | _interval_columns(over_seeds(values), values)
                for state, values in of_seeds.items()
            }
        )
    return entries
