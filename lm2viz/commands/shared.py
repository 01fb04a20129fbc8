"""What analysis commands share: stories read by a model, the same by an untrained one, results put down."""

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from lm2core.answers import Reader
    from lm2core.babi.story import Story
    from lm2core.trace import Trace
    from lm2viz.estimates import Result

Checkpoint = Annotated[
    str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
]
Task = Annotated[str, typer.Option(help="Whose stories it reads: qa1 to qa10.")]
Stories = Annotated[int, typer.Option(min=1, help="How many stories.")]
Seed = Annotated[int, typer.Option(help="Same seed, same stories.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder for the picture (HTML, opens offline) and the table (CSV).")
]


@dataclass(frozen=True, slots=True)
class Sample:
    """A model, the stories it read, and the trace of that."""

    reader: "Reader"
    stories: list["Story"]
    trace: "Trace"


def read_sample(checkpoint: str, task: str, stories: int, seed: int) -> Sample:
    """Stories of a task as ``checkpoint`` reads them."""
    from lm2core.answers import read_stories
    from lm2core.babi.tasks import make_story
    from lm2core.checkpoints import load_reader

    reader = load_reader(checkpoint)
    rng = Random(seed)
    told = [make_story(task, rng) for _ in range(stories)]
    return Sample(reader, told, read_stories(reader, told, budget="4GB"))


def untrained(reader: "Reader", seed: int = 0) -> "Reader":
    """The control: a model of the same config before its first step."""
    import torch

    from lm2core.answers import Reader

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = type(reader.model)(reader.model.config).eval()
    return Reader(f"{reader.name}, untrained", model, reader.tokenizer)


def put_down(name: str, result: "Result", out: Path | None) -> None:
    """Say what was found; with ``out`` also write NAME.html and NAME.csv there."""
    typer.echo(result.summary())
    if out is None:
        return
    from lm2core.files import write_whole
    from lm2viz.report import Picture, write_page

    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make folder {out}: {error.strerror}; choose another") from None
    write_page(out / f"{name}.html", name, "", [Picture(result.figure(), result.summary())])
    write_whole(out / f"{name}.csv", result.table().to_csv(index=False))
    typer.echo(f"written: {out / name}.html, {out / name}.csv")
