"""What the folder of runs holds: the record of each run, its state, its curves and its size.

A run NAME consists of the folder NAME of ``lm2 train``, its log NAME.log and its record NAME.json, all in
``LM2_RUNS`` or ``~/.lm2/runs``, so it outlives the page and the server that started it.
"""

import json
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from lm2core.errors import UserError
from lm2core.files import write_atomically
from lm2core.training.memory_warnings import PREFIX, memory_warnings
from lm2core.training.run_folder import STAGE_FILE, newest_checkpoint
from lm2viz.cli.app_settings import read_settings

RUNNING, FINISHED, STOPPED, FAILED = "running", "finished", "stopped", "failed"
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
LOG_TAIL = 20_000  # bytes


@dataclass(frozen=True)
class Run:
    """The record of a run. ``pid`` and ``born`` (its start, in seconds) identify its process.

    owner : ``Visitor.owner`` of who started it; empty in records of earlier versions: nobody's
    """

    name: str
    tasks: tuple[str, ...]
    n_steps: int
    seed: int
    pid: int = 0
    born: float = 0.0
    was_stopped: bool = False
    owner: str = ""

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
    memory : the last metrics of the memory by name; empty where none was logged yet
    warnings : what they warn of
    """

    steps: list[int]
    accuracy: dict[str, list[float | None]]
    loss: list[float | None]
    share: float
    memory: dict[str, float | None]
    warnings: list[str]


def runs_root() -> Path:
    """The folder of the server's training runs: ``LM2_RUNS``, or ``~/.lm2/runs``."""
    return read_settings().runs


def run_names() -> list[str]:
    """All runs of this server, the newest first."""
    records = [file for file in runs_root().glob("*.json") if NAME.fullmatch(file.stem)]
    return [file.stem for file in sorted(records, key=lambda file: -file.stat().st_mtime)]


def find_run(name: str) -> Run:
    """The run of this name; UserError when its record cannot be read, or is that of another name."""
    try:
        record = json.loads((runs_root() / f"{name}.json").read_text(encoding="utf-8"))
        run = Run(**record | {"tasks": tuple(record["tasks"])})
        if run.name != name or not NAME.fullmatch(name):  # a run's folder is deleted by this name
            raise ValueError(run.name)
        return run
    except (OSError, ValueError, TypeError, KeyError):
        raise UserError(f"the record of run {name} cannot be read; start another run") from None


def state_of(run: Run) -> str:
    """Whether its process is running, and if not, how it ended."""
    if process_of(run) is not None:
        return RUNNING
    if (run.folder / "model.safetensors").is_file():  # written last
        return FINISHED
    return STOPPED if run.was_stopped else FAILED


def process_of(run: Run) -> psutil.Process | None:
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


def read_curves(run: Run) -> Curves:
    """What has been logged so far, without a line that is still being written."""
    try:
        lines = (run.folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    logged = [json.loads(line) for line in lines if line.endswith("}")]
    steps = [line["step"] for line in logged]
    measured: dict[str, float | None] = next(
        (line for line in reversed(logged) if f"{PREFIX}n_slots" in line), {}
    )
    tasks = sorted({name for line in logged for name in line if name.startswith("accuracy_")})
    return Curves(
        steps,
        {name.removeprefix("accuracy_"): [line.get(name) for line in logged] for name in tasks},
        [line.get("loss") for line in logged],
        min(steps[-1] / run.n_steps, 1.0) if steps else 0.0,
        {name.removeprefix(PREFIX): value for name, value in measured.items() if name.startswith(PREFIX)},
        memory_warnings(measured),
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


def bytes_used(besides: str) -> int:
    """Bytes of all files in the folder of runs, but for the folder of one run. Links are not followed."""
    root, total = runs_root(), 0
    for folder, subfolders, files in os.walk(root):
        if Path(folder) == root and besides in subfolders:
            subfolders.remove(besides)
        total += sum(_size(Path(folder) / name) for name in files)
    return total


def _size(file: Path) -> int:
    try:
        return file.lstat().st_size
    except FileNotFoundError:  # deleted meanwhile
        return 0


def write_record(run: Run) -> Run:
    """Write the record of a run and return it; UserError when it cannot be written."""
    write_atomically(runs_root() / f"{run.name}.json", json.dumps(asdict(run)))
    return run
