"""Shared by the analysis commands: options, output folders, labels, stories, the control, results."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from lm2core.babi.story import Story
    from lm2core.babi.text import TextStory
    from lm2core.reading.loaded_model import LoadedModel
    from lm2core.traces.trace import Trace
    from lm2viz.estimates import Result
    from lm2viz.sample.rows import BankRows

Checkpoint = Annotated[
    str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
]
Source = Annotated[
    str,
    typer.Argument(
        help="Checkpoint that reads generated stories, or trace file or folder (see 'lm2 trace')."
    ),
]
Task = Annotated[
    str,
    typer.Option(
        help="Stories that a checkpoint reads: a generated task, qa1 to qa20, or a file in the bAbI format."
    ),
]
Stories = Annotated[int, typer.Option(min=1, help="Number of stories that a checkpoint reads.")]
Seed = Annotated[int, typer.Option(help="Random seed; the same seed gives the same stories.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the plot (HTML, opens offline) and the table (CSV).")
]
Image = Annotated[
    str | None,
    typer.Option(help="Also write the plot as png or svg; needs: pip install -e '.\\[images]'."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="CSV of your own facts with columns story, segment, fact, value; default: the generated facts."
    ),
]
IMAGES = ("png", "svg")
BUDGET = "2GB"  # of the traces of one command; 300 stories of task 1 with all memory hooks take 0.4 GB


@dataclass(frozen=True, slots=True)
class RecordedSample:
    """Stories as a model read them.

    untrained : the same stories read by a new model of the same sizes; None of traces from files, or where it
        was not asked for
    reader : None of traces from files
    """

    traces: "Sequence[Trace]"
    untrained: "Sequence[Trace] | None"
    lm: "LoadedModel | None"


def slot_numbers(option: str, text: str) -> tuple[int, ...]:
    """Parse comma-separated slot numbers; a UserError that names the option if one is invalid or repeated."""
    try:
        slots = tuple(int(number) for number in text.split(","))
    except ValueError:
        raise UserError(
            f"{option} {text} is not a list of slots; give numbers with commas, e.g. 3,7"
        ) from None
    if len(set(slots)) < len(slots):
        raise UserError(f"{option} {text} names a slot twice; give each once")
    return slots


def prepare(out: Path | None, image: str | None, option: str = "--out") -> None:
    """Make the folder that ``option`` gives and draw an empty image there, before minutes of measurement.

    Raises
    ------
    UserError
        For an unknown kind of image, or one without ``out`` or without what draws it; for an unusable folder.
    """
    if image is not None and (image not in IMAGES or out is None):
        raise UserError(f"--image {image}; give {' or '.join(IMAGES)}, and a folder with {option}")
    if out is None:
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".", dir=out) as tried:  # a folder that is there may be read-only
            if image is not None:
                _draw_empty(Path(tried) / f"empty.{image}")
    except OSError as error:
        raise UserError(f"cannot write to folder {out}: {error.strerror}; choose another") from None


def _draw_empty(path: Path) -> None:
    from plotly.graph_objects import Figure

    from lm2viz.story.report import write_image

    write_image(Figure(), path)


def labels_of(path: Path | None) -> "pd.DataFrame | None":
    """The table of ``--labels``, where one is given; a UserError for one that cannot be used."""
    from lm2viz.sample.rows import read_labels

    return None if path is None else read_labels(path)


def open_sample(
    source: str,
    task: str,
    stories: int,
    seed: int,
    *,
    names: Sequence[str] = ("hook_bank",),
    with_untrained: bool = True,
) -> RecordedSample:
    """Traces of a file or folder, or those of stories that a checkpoint reads, with its control."""
    from lm2core.reading.story_traces import TraceFolder
    from lm2core.traces.trace import Trace

    path = Path(source)
    is_file = path.suffix == ".safetensors"
    if is_file or (path.is_dir() and any(path.glob("part-*.safetensors"))):
        traces: Sequence[Trace] = [Trace.load(path)] if is_file else TraceFolder(path)
        if with_untrained:
            typer.echo(f"{source}: no untrained model beside traces; give the checkpoint for it", err=True)
        return RecordedSample(traces, None, None)
    if with_untrained:
        (lm, trained), (_, control) = read_with_control(source, task, stories, seed, names=names)
        return RecordedSample([trained], [control], lm)
    from lm2core.reading.checkpoints import load

    lm = load(source)
    return RecordedSample([read(lm, stories_of(task, stories, seed), names)], None, lm)


def rows_of(
    sample: RecordedSample, label_table: "pd.DataFrame | None" = None
) -> "tuple[BankRows, BankRows | None]":
    """The banks of a sample and of its control, with the facts that are known, or ``own`` (``labels_of``)."""
    from lm2viz.sample.rows import bank_rows

    control = None if sample.untrained is None else bank_rows(sample.untrained, label_table)
    return bank_rows(sample.traces, label_table), control


def stories_of(task: str, n: int, seed: int) -> "Sequence[Story | TextStory]":
    """Generated stories of a task, or the first of a bAbI file; a UserError for neither."""
    from lm2core.babi.tasks import make_stories
    from lm2core.babi.text import read_babi

    is_file = Path(task).suffix != "" or Path(task).is_file()
    return read_babi(task)[:n] if is_file else make_stories(task, n, seed)


def read_with_control(
    checkpoint: str, task: str, stories: int, seed: int, *, names: Sequence[str]
) -> "list[tuple[LoadedModel, Trace]]":
    """Stories as a checkpoint reads them, and as a new model of the same sizes does, made with ``seed``."""
    from lm2core.reading.checkpoints import load
    from lm2core.reading.loaded_model import untrained
    from lm2viz.progress import track

    lm, story_list = load(checkpoint), stories_of(task, stories, seed)
    lms = (lm, untrained(lm, seed))
    return [(each, read(each, story_list, names)) for each in track(lms, "reading, trained or not", "model")]


def read(lm: "LoadedModel", stories: "Sequence[Story | TextStory]", names: Sequence[str]) -> "Trace":
    """The trace of stories, with the hooks that are named."""
    from lm2core.reading.answers import read_stories
    from lm2viz.progress import counting_sentences

    with counting_sentences(lm.model, max(len(story.sentences) for story in stories)):
        return read_stories(lm, stories, names=names, budget=BUDGET)


def write_result(name: str, result: "Result", out: Path | None, image: str | None = None) -> None:
    """Print the summary; with ``out``, made by ``prepare``, also write page, table and image of that name."""
    typer.echo(result.summary())
    if out is None:
        return
    from lm2core.files import write_atomically
    from lm2viz.story.pictures import Picture
    from lm2viz.story.report import write_image, write_page

    files = [out / f"{name}.html", out / f"{name}.csv"]
    picture = Picture(result.figure(), result.summary(), name, result.table())
    write_page(files[0], name, "", {name: picture})
    write_atomically(files[1], picture.table.to_csv(index=False))
    if image is not None:
        files.append(out / f"{name}.{image}")
        write_image(picture.figure, files[-1])
    typer.echo(f"written: {', '.join(map(str, files))}")
