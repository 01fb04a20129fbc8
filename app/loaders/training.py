"""Start, stop, resume and delete training runs: separate processes, whose state is on disk alone.

Runs belong to the server: every user sees them, and one is running at a time, since it takes a processor.
Only the visitor who started a run can stop, resume or delete it, and whoever typed the server's token.
"""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from threading import Lock, Thread

import psutil  # type: ignore[import-untyped]
import streamlit as st

from app.loaders.folders import RUN, add_folder, name_folder
from app.loaders.runs import (
    NAME,
    RUNNING,
    Run,
    bytes_used,
    find_run,
    process_of,
    run_names,
    runs_root,
    state_of,
    write_record,
)
from app.loaders.visitor import Visitor
from lm2core.babi.tasks import make_stories
from lm2core.byte_sizes import format_bytes
from lm2core.errors import UserError
from lm2core.evaluation.stories import score
from lm2viz.cli.app_settings import read_settings

TRAINING_OFF = "Training is switched off on this server: its operator set LM2_TRAINING=off."
MAX_STEPS, SECONDS_TO_STOP = 20_000, 5
RUN_BYTES = 30_000_000  # more than any run of this page takes: three checkpoints, a model, its logs
N_STORIES_OF_FLOOR = 300
_lock = Lock()  # what starts or deletes


def can_train() -> bool:
    """Whether this server lets visitors start and resume runs."""
    return read_settings().can_train


def start_run(name: str, tasks: Sequence[str], n_steps: int, seed: int, visitor: Visitor) -> Run:
    """Start a run of this visitor.

    Raises
    ------
    UserError
        For a taken or invalid name, no task, another run that is running, a folder that cannot be written,
        and where training is switched off or the server's limits are reached.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"got the name {name!r}; give 1 to 40 lower-case letters, digits, - or _, beginning with a "
            "letter or digit"
        )
    if not tasks:
        raise UserError("no task is chosen; choose at least one")
    run = Run(name, tuple(tasks), min(max(n_steps, 1), MAX_STEPS), seed, owner=visitor.owner)
    with _lock:
        if name in run_names() or run.folder.exists():
            raise UserError(f"there is already a run {name}; choose another name")
        _check_count()
        return _begin(run)


def resume_run(name: str, visitor: Visitor) -> Run:
    """Resume from the newest complete checkpoint; it stays the run of who started it.

    Raises
    ------
    UserError
        As for ``start_run``, and when the run is not this visitor's.
    """
    with _lock:
        return _begin(_run_of(name, visitor), "--resume")


def _run_of(name: str, visitor: Visitor) -> Run:
    """The run of this name as it is now; UserError unless this visitor may change it."""
    run = find_run(name)
    if not visitor.may_change(run.owner):
        raise UserError(f"run {name} was started by another visitor; only they, or the operator, change it")
    return run


def _check_count() -> None:
    limit, n_runs = read_settings().max_runs, len(run_names())
    if limit is not None and n_runs >= limit:
        raise UserError(f"this server keeps {limit} runs at most and has {n_runs}; delete one first")


def _check_size(run: Run) -> None:
    limit = read_settings().max_bytes
    if limit is not None and (used := bytes_used(besides=run.name)) + RUN_BYTES > limit:
        raise UserError(
            f"a run takes up to {format_bytes(RUN_BYTES)}, and other runs take {format_bytes(used)} of the "
            f"{format_bytes(limit)} that this server allows; delete one first"
        )


def _is_running(name: str) -> bool:
    try:
        return state_of(find_run(name)) == RUNNING
    except UserError:  # a broken record must not keep others from starting
        return False


def _begin(run: Run, *more: str) -> Run:
    """Start the process of a run. Called with the lock held."""
    if not can_train():
        raise UserError(TRAINING_OFF)
    running = [name for name in run_names() if _is_running(name)]
    if running:
        raise UserError(
            f"run {running[0]} is running, and this server trains one at a time; stop it, or wait"
        )
    _check_size(run)
    process = _launch(run, *more)
    Thread(target=process.wait, daemon=True).start()  # reaps it: no zombie is left behind
    try:
        born = psutil.Process(process.pid).create_time()
    except psutil.Error:  # it has ended at once; its log says why
        born = 0.0
    try:
        return write_record(replace(run, pid=process.pid, born=born, was_stopped=False))
    except UserError:  # without a record, nobody could stop it
        os.killpg(process.pid, signal.SIGKILL)
        raise


def _launch(run: Run, *more: str) -> subprocess.Popen[bytes]:
    """``lm2 train`` as a separate process, which does not get the server's token."""
    options = {"preset": "babi-tiny", "out": run.folder, "tasks": ",".join(run.tasks)}
    options |= {"steps": run.n_steps, "seed": run.seed}
    command = [sys.executable, "-m", "lm2core", "train", *more]
    command += [f"--{name}={value}" for name, value in options.items()]
    environment = {name: value for name, value in os.environ.items() if name != "LM2_TOKEN"}
    try:
        runs_root().mkdir(parents=True, exist_ok=True)
        with (runs_root() / f"{run.name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment | {"OMP_NUM_THREADS": "1"},  # the pages need the other processors
                start_new_session=True,  # it outlives the server, and is stopped with its children
            )
    except OSError as error:
        raise UserError(
            f"cannot write to {runs_root()}: {error.strerror}; set LM2_RUNS to another folder"
        ) from None


def stop_run(name: str, visitor: Visitor) -> None:
    """End the process and its children; the run can be resumed from its newest checkpoint.

    Raises
    ------
    UserError
        When the run is not this visitor's, or has ended but its record cannot be written.
    """
    run = _run_of(name, visitor)
    process = process_of(run)
    if process is None:
        return
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(run.pid, sign)
            process.wait(SECONDS_TO_STOP)
        except psutil.TimeoutExpired:
            continue
        except ProcessLookupError:  # it has ended already
            pass
        break
    write_record(replace(run, was_stopped=True))  # last: a full disk must not keep it running


def delete_run(name: str, visitor: Visitor) -> None:
    """Delete the folder, the log and the record of a run that has ended.

    Raises
    ------
    UserError
        When the run is not this visitor's, is running, or its folder is a link or cannot be deleted.
    """
    with _lock:
        run = _run_of(name, visitor)
        if state_of(run) == RUNNING:
            raise UserError(f"run {name} is running; stop it first")
        if run.folder.is_symlink():
            raise UserError(
                f"the folder of run {name} is a link to another place; only the operator deletes it"
            )
        try:
            if run.folder.exists():
                shutil.rmtree(run.folder)
            for suffix in ("log", "json"):  # the record last: what could not be deleted is still listed
                (runs_root() / f"{name}.{suffix}").unlink(missing_ok=True)
        except OSError as error:
            raise UserError(f"cannot delete run {name}: {error.strerror}; try again later") from None


def use_run(run: Run) -> str:
    """Add the trained model to this user's models and return its name."""
    name = name_folder(f"{RUN}{run.name}")
    add_folder(name)
    return name


@st.cache_data(max_entries=20)
def floor_of(task: str) -> tuple[float, float]:
    """Accuracy without a model: always the most frequent answer; the last place or thing named."""
    stories = make_stories(task, N_STORIES_OF_FLOOR, seed=0)
    result = score(stories, [["" for _ in story.questions] for story in stories])
    return result.majority, result.last_mentioned
