"""Result files: the measurements of one run, small enough to keep after its weights are deleted."""

import json
from pathlib import Path
from typing import Any

from lm2core.compare.plan import Plan, Run
from lm2core.errors import UserError
from lm2core.files import write_atomically

SCHEMA = 1
FIELDS = {"schema", "plan", "run", "key", "settings", "n_parameters", "wall_s", "is_resumed", "measured"}
FOLDER = "results"

Result = dict[str, Any]


def result_file(out: Path, run: Run) -> Path:
    """The result file of ``run`` in the folder of a comparison."""
    return out / FOLDER / f"{run.name}.json"


def save_result(out: Path, plan: Plan, run: Run, **numbers: Any) -> None:
    """Write the result of ``run`` with its settings, atomically."""
    about = {"schema": SCHEMA, "plan": plan.name, "run": run.name, "key": run.key, "settings": run.settings}
    file = result_file(out, run)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(about | numbers, indent=1) + "\n")


def read_results(out: Path, plan: Plan) -> dict[str, Result]:
    """The results in ``out`` by the name of their run.

    Results of runs that are not in the plan, such as other seeds, are ignored.

    Raises
    ------
    UserError
        With the file's name, for a damaged result and for one of another plan or of other settings.
    """
    runs = {run.name: run for run in plan.runs()}
    results = {}
    for file in sorted((out / FOLDER).glob("*.json")):
        result = _read(file, plan)
        if result["run"] in runs:
            _check_settings(file, result, runs[result["run"]])
            results[result["run"]] = result
    return results


def _read(file: Path, plan: Plan) -> Result:
    again = "delete it to repeat its run"
    try:
        result = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is damaged ({error}); {again}") from None
    missing = FIELDS - set(result) if isinstance(result, dict) else FIELDS
    if missing:
        raise UserError(
            f"{file} is not a result of a comparison: it has no {', '.join(sorted(missing))}; {again}"
        )
    if (result["schema"], result["plan"], result["run"]) != (SCHEMA, plan.name, file.stem):
        raise UserError(
            f"{file} is the result of run {result['run']!r} of plan {result['plan']!r}, "
            f"schema {result['schema']}, not of {file.stem!r} of {plan.name!r}, "
            f"schema {SCHEMA}; move it away, or choose another --out"
        )
    return result


def _check_settings(file: Path, result: Result, run: Run) -> None:
    if result["key"] == run.key:
        return
    was, now = result["settings"], run.settings
    names = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    other = ", ".join(f"{n}={was.get(n)}, now {now.get(n)}" if n != "tests" else "other tests" for n in names)
    raise UserError(
        f"{file} was made with {other or 'other settings'}; use the original settings or another --out"
    )
