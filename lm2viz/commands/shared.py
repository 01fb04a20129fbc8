"""What analysis commands share: where stories come from, the untrained control, results put down."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lm2core.answers import Reader
    from lm2core.babi.story import Story
    from lm2core.babi.text import TextStory
    from lm2core.trace import Trace
    from lm2viz.estimates import Result
    from lm2viz.rows import BankRows

Checkpoint = Annotated[
    str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
]
Source = Annotated[
    str, typer.Argument(help="A checkpoint, which reads generated stories; or traces, see 'lm2 trace'.")
]
Task = Annotated[
    str,
    typer.Option(
        help="What a checkpoint reads: generated stories of qa1 to qa20, or a file in the bAbI format."
    ),
]
Stories = Annotated[int, typer.Option(min=1, help="How many stories a checkpoint reads.")]
Seed = Annotated[int, typer.Option(help="Same seed, same stories.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the picture (HTML, opens offline) and the table (CSV).")
]
Image = Annotated[
    str | None,
    typer.Option(help="Beside the CSV, the picture as png or svg; needs: pip install -e '.\\[images]'."),
]
Labels = Annotated[
    Path | None,
    typer.Option(
        help="A CSV of facts of one's own, columns story, segment, fact, value; else those generated."
    ),
]
IMAGES = ("png", "svg")
BUDGET = "2GB"  # of the traces of one command; 300 stories of task 1 with all memory hooks take 0.4 GB


@dataclass(frozen=True, slots=True)
class Sample:
    """Stories as a model read them.

    untrained : the same stories read by the same model before its first step; None of traces from files, or
        where it was not asked for
    reader : None of traces from files
    """

    traces: "Sequence[Trace]"
    untrained: "Sequence[Trace] | None"
    reader: "Reader | None"


def slot_numbers(option: str, text: str) -> tuple[int, ...]:
    """Slot numbers by commas; a ValueError that names the option otherwise."""
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError:
        raise ValueError(f"{option} {text}; give slot numbers by commas, e.g. 3,7") from None


def open_sample(
    source: str,
    task: str,
    stories: int,
    seed: int,
    *,
    names: Sequence[str] = ("hook_bank",),
    with_untrained: bool = True,
) -> Sample:
    """Traces of a file or folder, or those of stories that a checkpoint reads, with its control."""
    from lm2core.story_traces import TraceFolder
    from lm2core.trace import Trace

    path = Path(source)
    is_file = path.suffix == ".safetensors"
    if is_file or (path.is_dir() and any(path.glob("part-*.safetensors"))):
        traces: Sequence[Trace] = [Trace.load(path)] if is_file else TraceFolder(path)
        if with_untrained:
            typer.echo(f"{source}: no untrained model beside traces; give the checkpoint for it", err=True)
        return Sample(traces, None, None)
    if with_untrained:
        (reader, trained), (_, control) = read_twice(source, task, stories, seed, names=names)
        return Sample([trained], [control], reader)
    from lm2core.checkpoints import load_reader

    reader = load_reader(source)
    return Sample([_read(reader, stories_of(task, stories, seed), names)], None, reader)


def rows_of(sample: Sample, labels: Path | None = None) -> "tuple[BankRows, BankRows | None]":
    """The banks of a sample and of its control, with the facts that are known or given."""
    from lm2viz.rows import bank_rows, read_labels

    own = None if labels is None else read_labels(labels)
    control = None if sample.untrained is None else bank_rows(sample.untrained, own)
    return bank_rows(sample.traces, own), control


def stories_of(task: str, n: int, seed: int) -> "Sequence[Story | TextStory]":
    """Generated stories of a task, or the first of a bAbI file; a ValueError for neither."""
    from lm2core.babi.tasks import make_stories
    from lm2core.babi.text import read_babi

    is_file = Path(task).suffix != "" or Path(task).is_file()
    return read_babi(task)[:n] if is_file else make_stories(task, n, seed)


def read_twice(
    checkpoint: str, task: str, stories: int, seed: int, *, names: Sequence[str]
) -> "list[tuple[Reader, Trace]]":
    """Stories as a checkpoint reads them, and as it did before its first step."""
    from lm2core.checkpoints import load_reader
    from lm2core.compare.measures import untrained
    from lm2viz.progress import track

    reader, told = load_reader(checkpoint), stories_of(task, stories, seed)
    readers = (reader, untrained(reader, seed))
    return [(each, _read(each, told, names)) for each in track(readers, "reading, trained or not", "model")]


def _read(reader: "Reader", stories: "Sequence[Story | TextStory]", names: Sequence[str]) -> "Trace":
    from lm2core.answers import read_stories
    from lm2viz.progress import counting_sentences

    with counting_sentences(reader.model, max(len(story.sentences) for story in stories)):
        return read_stories(reader, stories, names=names, budget=BUDGET)


def put_down(name: str, result: "Result", out: Path | None, image: str | None = None) -> None:
    """Say what was found; with ``out`` also write NAME.html, NAME.csv and the image there.

    Raises
    ------
    ValueError
        For an unknown kind of image, or one without ``out`` or without what draws it; for an unusable folder.
    """
    check_image(image, "--out", out)
    typer.echo(result.summary())
    if out is None:
        return
    from lm2core.files import write_whole
    from lm2viz.pictures import Picture
    from lm2viz.report import write_image, write_page

    files = [made(out) / f"{name}.html", out / f"{name}.csv"]
    picture = Picture(result.figure(), result.summary(), name, result.table())
    write_page(files[0], name, "", {name: picture})
    write_whole(files[1], picture.table.to_csv(index=False))
    if image is not None:
        files.append(out / f"{name}.{image}")
        write_image(picture.figure, files[-1])
    typer.echo(f"written: {', '.join(map(str, files))}")


def check_image(image: str | None, option: str, folder: Path | None) -> None:
    """A ValueError for an unknown kind of image, or one without the folder that ``option`` gives."""
    if image is not None and (image not in IMAGES or folder is None):
        raise ValueError(f"--image {image}; give {' or '.join(IMAGES)}, and a folder with {option}")


def made(folder: Path) -> Path:
    """The folder, made if it is not there; a ValueError for one that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make folder {folder}: {error.strerror}; choose another") from None
    return folder
