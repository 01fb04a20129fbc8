"""Training runs of this server: separate processes, whose state is on disk alone.

A run NAME consists of the folder NAME of ``lm2 train``, its log NAME.log and its record NAME.json, all in
``LM2_RUNS`` or ``~/.lm2/runs``, so it outlives the page and the server that started it. Runs belong to the
server: every user sees them, and one is running at a time, since it takes a processor.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from threading import Lock, Thread

import psutil  # type: ignore[import-untyped]
import streamlit as st

from app.loaders.folders import RUN, add_folder, name_folder, runs_root
from lm2core.babi.tasks import make_stories
from lm2core.errors import UserError
from lm2core.evaluation.stories import score
from lm2core.files import write_atomically
from lm2core.training.run_folder import STAGE_FILE, newest_checkpoint

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
MAX_STEPS, SECONDS_TO_STOP, LOG_TAIL = 20_000, 5, 20_000  # the last in bytes
N_STORIES_OF_FLOOR = 300
_start_lock = Lock()


@dataclass(frozen=True)
class Run:
    """The record of a run. ``pid`` and ``born`` (its start, in seconds) identify its process."""

    name: str
    tasks: tuple[str, ...]
    n_steps: int
    seed: int
    pid: int = 0
    born: float = 0.0
    was_stopped: bool = False

    @property
    def folder(self) -> Path:
        """The folder of its checkpoints and its model."""
        return runs_root() / self.name


@dataclass(frozen=True)
class Curves:
    """What a run has logged, one value per logged step; None where it was not finite or not logged.

    accuracy : by task, in [0, 1]
    loss : mean since the step before, in nats
    share : of the run's steps that are done, in [0, 1]
    """

    steps: list[int]
    accuracy: dict[str, list[float | None]]
    loss: list[float | None]
    share: float


def run_names() -> list[str]:
    """All runs of this server, the newest first."""
    records = [file for file in runs_root().glob("*.json") if NAME.fullmatch(file.stem)]
    return [file.stem for file in sorted(records, key=lambda file: -file.stat().st_mtime)]


def find_run(name: str) -> Run:
    """The run of this name; UserError when its record cannot be read."""
    try:
        record = json.loads((runs_root() / f"{name}.json").read_text(encoding="utf-8"))
        return Run(**record | {"tasks": tuple(record["tasks"])})
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError(f"the record of run {name} cannot be read; start another run") from None


def state_of(run: Run) -> str:
    """Whether its process is running, and if not, how it ended."""
    if _process(run) is not None:
        return RUNNING
    if (run.folder / "model.safetensors").is_file():  # written last
        return FINISHED
    return STOPPED if run.was_stopped else FAILED


def _process(run: Run) -> psutil.Process | None:
    """The live process of a run. Process ids are reused, so it must also have started when the run did."""
    try:
        process = psutil.Process(run.pid)
        is_it = abs(process.create_time() - run.born) < 1 and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, TypeError):
        return None
    return process if is_it else None


def can_resume(run: Run) -> bool:
    """Whether there is a complete checkpoint to resume from."""
    return state_of(run) in (STOPPED, FAILED) and newest_checkpoint(run.folder, STAGE_FILE) is not None


def start_run(name: str, tasks: Sequence[str], n_steps: int, seed: int) -> Run:
    """Start a run.

    Raises
    ------
    UserError
        For a taken or invalid name, no task, another run that is running, or a folder that cannot be written.
    """
    if not NAME.fullmatch(name):
        raise UserError(
            f"got the name {name!r}; give 1 to 40 lower-case letters, digits, - or _, beginning with a "
            "letter or digit"
        )
    if not tasks:
        raise UserError("no task is chosen; choose at least one")
    run = Run(name, tuple(tasks), min(max(n_steps, 1), MAX_STEPS), seed)
    if name in run_names() or run.folder.exists():
        raise UserError(f"there is already a run {name}; choose another name, or resume it below")
    return _begin(run)


def resume_run(run: Run) -> Run:
    """Resume from the newest complete checkpoint; UserError when another run is running."""
    return _begin(run, "--resume")


def _is_running(name: str) -> bool:
    try:
        return state_of(find_run(name)) == RUNNING
    except UserError:  # a broken record must not keep others from starting
        return False


def _begin(run: Run, *more: str) -> Run:
    with _start_lock:
        running = [name for name in run_names() if _is_running(name)]
        if running:
            raise UserError(
                f"run {running[0]} is running, and this server trains one at a time; stop it, or wait"
            )
        process = _launch(run, *more)
        Thread(target=process.wait, daemon=True).start()  # reaps it: no zombie is left behind
        try:
            born = psutil.Process(process.pid).create_time()
        except psutil.Error:  # it has ended at once; its log says why
            born = 0.0
        try:
            return _record(replace(run, pid=process.pid, born=born, was_stopped=False))
        except UserError:  # without a record, nobody could stop it
            os.killpg(process.pid, signal.SIGKILL)
            raise


def _launch(run: Run, *more: str) -> subprocess.Popen[bytes]:
    """``lm2 train`` as a separate process."""
    options = {"preset": "babi-tiny", "out": run.folder, "tasks": ",".join(run.tasks)}
    options |= {"steps": run.n_steps, "seed": run.seed}
    command = [sys.executable, "-m", "lm2core", "train", *more]
    command += [f"--{name}={value}" for name, value in options.items()]
    try:
        runs_root().mkdir(parents=True, exist_ok=True)
        with (runs_root() / f"{run.name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"OMP_NUM_THREADS": "1"},  # the pages need the other processors
                start_new_session=True,  # it outlives the server, and is stopped with its children
            )
    except OSError as error:
        raise UserError(
            f"cannot write to {runs_root()}: {error.strerror}; set LM2_RUNS to another folder"
        ) from None


def _record(run: Run) -> Run:
    write_atomically(runs_root() / f"{run.name}.json", json.dumps(asdict(run)))
    return run


def stop_run(run: Run) -> None:
    """End the process and its children; the run can be resumed from its newest checkpoint.

    Raises
    ------
    UserError
        When it has ended but its record cannot be written.
    """
    process = _process(run)
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
    _record(replace(run, was_stopped=True))  # last: a full disk must not keep it running


def read_curves(run: Run) -> Curves:
    """What has been logged so far, without a line that is still being written."""
    try:
        lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    logged = [json.loads(line) for line in lines if line.endswith("}")]
    steps = [line["step"] for line in logged]
    tasks = sorted({name for line in logged for name in line if name.startswith("accuracy_")})
    return Curves(
        steps,
        {name.removeprefix("accuracy_"): [line.get(name) for line in logged] for name in tasks},
        [line.get("loss") for line in logged],
        min(steps[-1] / run.n_steps, 1.0) if steps else 0.0,
    )


def last_error(run: Run) -> str:
    """The line in which the run says why it ended, or the last line of its log."""
    try:
        with (runs_root() / f"{run.name}.log").open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - LOG_TAIL))
            lines = re.split(r"[\r\n]+", log.read().decode(errors="replace").strip())
    except OSError:
        return "its log is missing"
    messages = [line for line in lines if line.startswith("lm2: ")]
    return (
        messages[-1].removeprefix("lm2: ")
        if messages
        else lines[-1][-300:] or "its log is empty; was it killed?"
    )


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
