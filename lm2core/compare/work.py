"""Work through a plan: every run once, each by one process, also after an interruption; then the table."""

import json
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from filelock import FileLock, Timeout

from lm2core.compare.markdown import as_markdown
from lm2core.compare.measures import measure_on_stories, measure_on_text
from lm2core.compare.plan import GROUPS, Plan, Run, check_groups
from lm2core.compare.results import FOLDER, Result, read_results, result_file, save_result
from lm2core.compare.runs import run_folder, train_run, with_text
from lm2core.compare.table import make_table
from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.model.sizes import n_parameters
from lm2core.training.text_recipe import TextRecipe

PLAN_FILE = "plan.json"  # marks a folder as that of a comparison
TABLE_FILES = ("table.md", "table.json")

Say = Callable[[str], None]


def compare(
    plan: Plan, out: str | Path, *, groups: Collection[str] = GROUPS, say: Say = lambda _: None
) -> None:
    """Do all runs of ``groups`` that have no result in ``out`` yet, and write the table after each.

    Several processes may share a folder: a run that another process works on is skipped. An interrupted run
    resumes from its newest checkpoint.

    Raises
    ------
    UserError
        For unknown groups, for the folder of another comparison, and as ``read_results``.
    """
    out = Path(out)
    check_groups(groups)
    _open_folder(plan, out)
    write_table(plan, out)
    chosen = plan.runs(groups)
    for i, run in enumerate(chosen, start=1):
        results = read_results(out, plan)
        if run.name in results:
            continue
        left = duration(seconds_left(chosen, results))
        lock = FileLock(out / "runs" / f"{run.name}.lock")  # the system releases it when the process ends
        try:
            with lock.acquire(timeout=0):
                if result_file(out, run).is_file():  # another process finished it meanwhile
                    continue
                say(f"[{i} of {len(chosen)}] {run.name}; remaining: about {left} for one process")
                say(f"[{i} of {len(chosen)}] {run.name} done in {duration(_do(plan, run, out))}")
        except Timeout:
            say(f"[{i} of {len(chosen)}] {run.name}: another process is working on it")
            continue
        write_table(plan, out)


def write_table(plan: Plan, out: Path) -> dict[str, Any]:
    """Write the table of the results in ``out`` into it, as markdown and JSON, and return it."""
    if not (out / FOLDER).is_dir():
        raise UserError(f"{out} is not a comparison: it has no folder {FOLDER}; give the --out of one")
    table = make_table(plan, read_results(out, plan))
    for name, text in zip(TABLE_FILES, (as_markdown(table), json.dumps(table, indent=1) + "\n"), strict=True):
        write_atomically(out / name, text)
    return table


def seconds_left(runs: Collection[Run], results: Mapping[str, Result]) -> float:
    """Seconds one process needs for the runs without a result, estimated from finished runs of the kind."""
    pace: dict[str, list[float]] = {}
    for run in runs:
        if run.name in results and not results[run.name]["is_resumed"]:
            pace.setdefault(run.kind, []).append(results[run.name]["wall_s"] / run.expected_s)
    overall = fmean([x for of_kind in pace.values() for x in of_kind] or [1.0])
    return sum(
        run.expected_s * fmean(pace.get(run.kind, [overall])) for run in runs if run.name not in results
    )


def duration(seconds: float) -> str:
    """A duration for people to read: "3 h 05 min", "12 min", "40 s"."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def _do(plan: Plan, run: Run, out: Path) -> float:
    """Train and measure ``run``, save its result, and return the seconds it took this process."""
    start = time.monotonic()
    try:
        lm, is_resumed = train_run(run, out)
    except UserError as error:
        raise UserError(f"run {run.name}: {error}") from error
    folder, recipe = run_folder(out, run), run.recipe
    if isinstance(recipe, TextRecipe):
        measured = measure_on_text(lm, with_text(recipe, out), folder)
    else:
        measured = measure_on_stories(lm, recipe, run.tests, folder)
    wall_s = time.monotonic() - start
    save_result(
        out,
        plan,
        run,
        n_parameters=n_parameters(lm.model),
        wall_s=round(wall_s, 1),
        is_resumed=is_resumed,
        measured=measured,
    )
    return wall_s


def _open_folder(plan: Plan, out: Path) -> None:
    """Make the folder of a comparison, or check that it belongs to this one."""
    file = out / PLAN_FILE
    if file.is_file():
        try:
            name = json.loads(file.read_text(encoding="utf-8"))["plan"]
        except (ValueError, KeyError, TypeError):
            raise UserError(f"{file} does not name a comparison; choose another --out") from None
        if name != plan.name:
            raise UserError(f"{out} holds the comparison {name!r}, not {plan.name!r}; choose another --out")
    elif out.is_dir() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and is not a comparison; choose another --out")
    try:
        for folder in (out / FOLDER, out / "runs"):
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot write to {out}: {error.strerror}; choose another --out") from None
    write_atomically(file, json.dumps({"plan": plan.name}) + "\n")
