"""Shared by the analysis commands: options, output folders, labels, the sample and its control, results."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from lm2core.reading.loaded_model import LoadedModel
    from lm2core.traces.trace import Trace
    from lm2viz.estimates import Result
    from lm2viz.sample.story_sample import StorySample

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
        help="Stories that a checkpoint reads: a task, qa1 to qa20, a kind of English stories, such "
        "as one-fact, or a file in the bAbI format."
    ),
]
Stories = Annotated[int, typer.Option(min=1, help="Number of stories that a checkpoint reads.")]
Seed = Annotated[
    int,
    typer.Option(min=0, help="Story i is drawn with seed + i: for other stories, add at least --stories."),
]
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
    source: str, task: str, stories: int, seed: int, labels: "pd.DataFrame | None" = None
) -> "tuple[StorySample, LoadedModel | None]":
    """The stories to analyse and the model that reads them; recorded traces have no model.

    ``labels`` that do not fit the stories are refused here, before minutes of reading.
    """
    from lm2viz.sample.rows import check_labels
    from lm2viz.sample.story_sample import StorySample, holds_traces

    if holds_traces(source):
        return StorySample(source, seed=seed), None
    from lm2core.reading.checkpoints import load

    sample = StorySample(task, stories, seed)
    if labels is not None:
        check_labels(labels, [len(story.sentences) for story in sample.stories])
    return sample, load(source)


def read_both(
    sample: "StorySample", lm: "LoadedModel | None", names: Sequence[str] = ("hook_bank",)
) -> "tuple[Sequence[Trace], Sequence[Trace] | None]":
    """The traces of a sample and of its untrained control; recorded ones have no control, which is said."""
    if lm is None:
        traces = sample.read()
        typer.echo(f"{sample.source}: no untrained model beside traces; give the checkpoint for it", err=True)
        return traces, None
    trained, control = (sample.read(each, names) for each in sample.model_and_control(lm))
    return trained, control


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
