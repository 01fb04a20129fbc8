"""Scores on tasks of EleutherAI's evaluation harness (lm-eval): MMLU, BABILong, perplexities, own task files.

The harness is optional: pip install -e '.[harness]'. harness_model.py adapts our models to it.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel

RESAMPLES = 1000  # for standard errors without a formula; the harness's 100,000 take minutes
ACCURACIES = (
    "acc",
    "acc_norm",
    "acc_bytes",
)  # by log-probability: total, per character, per byte


def run_harness(
    lm: LoadedModel,
    tasks: Sequence[str],
    *,
    include_path: Path | None = None,
    limit: int | None = None,
    n_shot: int | None = None,
    length: str | None = None,
    batch_size: int = 8,
) -> list[dict[str, Any]]:
    """Score a model on tasks of the harness.

    Parameters
    ----------
    lm : LoadedModel
        LM2 or a baseline. Every request starts with a fresh memory, and no text is truncated: it is cut
        every ``segment_length`` tokens. Models trained with one sentence per segment, such as story models,
        have not seen this form; ``lm2 eval --babi`` and ``--tasks`` use the form they were trained on.
    tasks : sequence of str
        Names of tasks, groups or tags of the harness, or of a file in ``include_path``.
    include_path : Path
        Folder with your own task files (YAML), which take precedence over the harness's of the same name.
        Data paths in them are relative to the current folder.
    limit : int
        Use only the first ``limit`` documents of each task, at least 1: for trying out, not for reporting.
    n_shot : int
        Worked examples before each question; None: the task's number. A task that fixes 0 keeps it.
    length : str
        For BABILong's tasks: from "0k", the harness's default, to "1M".
    batch_size : int
        Requests per batch.

    Returns
    -------
    list of dict
        A row for every task (or group) and metric: "task", "metric" (with the harness's answer filter, if
        any), "value", "stderr" (None: unknown), "chance" (accuracy of a random choice; None: the task has no
        choices), "n" documents, "n_shot", "length", "model", "harness" (its version).

    Raises
    ------
    UserError
        When the harness is not installed, a task is unknown (with similar names), its data is not available,
        or it has words that the model does not know.
    """
    for name, value, least in (("limit", limit, 1), ("n_shot", n_shot, 0), ("batch_size", batch_size, 1)):
        if value is not None and value < least:
            raise UserError(f"{name}={value} must be at least {least}")
    check_installed()
    from lm_eval import simple_evaluate

    from lm2core.evaluation.harness_model import HarnessModel

    results = simple_evaluate(
        HarnessModel(lm, batch_size=batch_size),
        tasks=_load_tasks(tasks, include_path, length),
        num_fewshot=n_shot,
        limit=limit,
        bootstrap_iters=RESAMPLES,
    )
    return [
        row | {"length": length, "model": lm.name, "harness": version("lm_eval")} for row in _rows(results)
    ]


def check_installed() -> None:
    """Raise a UserError that says how to install the harness if it is missing."""
    try:
        import lm_eval  # noqa: F401
    except ImportError:
        raise UserError(
            "the evaluation harness is not installed; in the checkout: pip install -e '.[harness]'"
        ) from None


def _load_tasks(names: Sequence[str], include_path: Path | None, length: str | None) -> list[Any]:
    """The harness's tasks and groups with these names, with their data."""
    from lm_eval.tasks import TaskManager

    if include_path is not None and not include_path.is_dir():
        raise UserError(f"{include_path} is not a folder; give one with task files of the harness (YAML)")
    manager = TaskManager(
        include_path=include_path, metadata=None if length is None else {"max_seq_lengths": length}
    )
    requested = [name.strip() for name in dict.fromkeys(names) if name.strip()]
    if not requested:
        raise UserError("no task given; give comma-separated names of the harness, e.g. mmlu,babilong_qa1")
    for name in requested:
        if name not in manager.all_tasks:
            near = get_close_matches(name, manager.all_tasks, n=5)
            known = f"nearest: {', '.join(near)}" if near else f"it has {len(manager.all_tasks)}, e.g. mmlu"
            raise UserError(
                f"the harness has no task {name!r}; {known}; for your own task files use "
                "--harness-tasks-folder FOLDER"
            )
    return [part for name in requested for part in _load_task(manager, name)]


def _load_task(manager: Any, name: str) -> list[Any]:
    """One task or group, or all tasks of a tag; the harness fetches their data here."""
    try:
        loaded = manager.load([name])
    except ImportError as error:
        raise UserError(f"task {name} needs a package that is not installed ({error}); install it") from None
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise UserError(
            f"cannot get the data of task {name}: {reason}; fetch it once with a network connection, or use "
            "a task file with local data (dataset_path: json): --harness-tasks-folder FOLDER"
        ) from None
    groups = loaded["groups"]
    inner = {child for group in groups.values() for child in group.child_names}
    return [part for name, part in (groups | loaded["tasks"]).items() if name not in inner]


def _rows(results: dict[str, Any]) -> list[dict[str, Any]]:
    """A row for every metric of the tasks, and of the groups that have metrics themselves."""
    chances = {name: _chance(name, results) for name in results["samples"]}
    for group in results["group_subtasks"]:
        of_tasks = {chances[name] for name in _tasks_of(group, results["group_subtasks"])}
        chances[group] = of_tasks.pop() if len(of_tasks) == 1 else None  # else it depends on the weights
    rows = []
    for task, numbers in results["results"].items():
        for key in numbers:
            metric, _, answers = key.partition(",")
            if not answers or metric.endswith("_stderr"):
                continue
            stderr = numbers.get(f"{metric}_stderr,{answers}", "N/A")
            rows.append(
                {
                    "task": task,
                    "metric": metric if answers == "none" else key,
                    "value": float(numbers[key]),
                    "stderr": None if stderr == "N/A" else float(stderr),
                    "chance": chances[task] if metric in ACCURACIES else None,
                    "n": numbers.get("sample_count", {}).get(key, numbers["sample_len"]),
                    "n_shot": results["n-shot"].get(task),
                }
            )
    return rows


def _tasks_of(name: str, members: dict[str, list[str]]) -> list[str]:
    """The tasks of a group, including those of the groups in it."""
    return (
        [task for child in members[name] for task in _tasks_of(child, members)] if name in members else [name]
    )


def _chance(task: str, results: dict[str, Any]) -> float | None:
    """Expected accuracy of a random choice; None for a task without choices.

    The harness does not report it. A sample's requests are its choices.
    """
    if results["configs"][task].get("output_type") != "multiple_choice":
        return None
    shares = []
    for sample in results["samples"][task]:
        is_twice = "acc_mutual_info" in sample["metrics"]  # each choice is also scored by itself
        n_right = len(sample["target"]) if isinstance(sample["target"], list) else 1
        shares.append(n_right / (len(sample["arguments"]) / (2 if is_twice else 1)))
    return sum(shares) / len(shares)
