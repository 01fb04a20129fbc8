"""The ``lm2`` command. Heavy imports happen inside the commands, so that --help answers at once."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer._click.exceptions import ClickException  # typer carries its own click

from lm2core.cli.backbone import backbone
from lm2core.cli.compare import compare
from lm2core.cli.evaluate import evaluate
from lm2core.cli.stories import stories
from lm2core.cli.trace import trace
from lm2core.cli.train import train
from lm2core.errors import UserError

app = typer.Typer(
    help="Train an LM2, run it, and inspect its memory.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
convert = typer.Typer(help="Convert checkpoints of other code.")
app.add_typer(convert, name="convert")
Checkpoint = Annotated[
    str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
]


app.command()(train)
app.command()(trace)
app.command()(compare)
app.command()(stories)
app.command()(backbone)
app.command(name="eval")(evaluate)


@app.command()
def babi(
    task: Annotated[str, typer.Option(help="qa1 to qa20.")],
    out: Annotated[
        Path, typer.Option(help="Folder to write TASK_generated.txt to; an existing file is kept.")
    ],
    stories: Annotated[int, typer.Option(min=1, help="Number of stories, of 1 to 12 questions each.")] = 200,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    against: Annotated[
        Path | None, typer.Option(help="Also count the examples that occur word for word in this bAbI file.")
    ] = None,
) -> None:
    """Write generated stories in the bAbI file format."""

    from lm2core.babi.duplicates import count_duplicates
    from lm2core.babi.tasks import get_task, make_stories
    from lm2core.babi.text import read_babi, write_babi

    get_task(task)
    path = out / f"{task}_generated.txt"
    try:
        if path.exists():
            raise UserError(f"{path} already exists; choose another folder, or delete the file first")
        others = None if against is None else read_babi(against)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make folder {out}: {error.strerror}; choose another") from None
    made = make_stories(task, stories, seed)
    write_babi(path, made)
    typer.echo(str(path))
    if others is not None:
        n_samples = sum(len(story.questions) for story in made)
        typer.echo(f"{count_duplicates(made, others)} of {n_samples} examples also occur in {against}")


@app.command()
def ask(
    checkpoint: Checkpoint,
    question: Annotated[
        str,
        typer.Option(
            help='For example "Where is Mary?". A memory on a language model continues any other text, such '
            'as "Mary left the kitchen for the".'
        ),
    ],
    story: Annotated[
        Path | None,
        typer.Option(help="Text file, one sentence per line; - is standard input.", metavar="FILE"),
    ] = None,
    memory: Annotated[
        Path | None,
        typer.Option(
            help="Saved bank (see 'lm2 edit-memory') to ask from, or to read the story on from.",
            metavar="FILE",
        ),
    ] = None,
) -> None:
    """Read a story and answer a question about it, with the most likely answers and their probabilities.

    Where the answer has several tokens, the other lines are tokens that it could have begun with.
    """
    if story is None and memory is None:
        raise UserError("there is nothing to ask about; give --story FILE, --memory FILE or both")
    from lm2core.babi.text import read_sentences
    from lm2core.reading.answers import memory_after, ranked_words
    from lm2core.reading.checkpoints import load
    from lm2core.reading.saved_bank import load_bank

    sentences = () if story is None else read_sentences(story)
    lm = load(checkpoint, baselines=memory is None)
    bank = None if memory is None else load_bank(lm, memory)
    best = ranked_words(lm, question, memory_after(lm, sentences, bank) if sentences else bank)
    typer.echo(best[0][0])
    for word, probability in best[:6]:
        typer.echo(f"  {probability:6.1%}  {word}")


@app.command()
def models(
    flops: Annotated[bool, typer.Option("--flops", help="Also the work of one training step.")] = False,
) -> None:
    """List the models that come with the package, and the large presets that can be trained."""
    from lm2core.cli.models import list_models

    list_models(flops=flops)


@convert.command(name="reference")
def convert_reference(
    file: Annotated[Path, typer.Argument(help="Checkpoint: safetensors, or a torch file with a state dict.")],
    config: Annotated[Path, typer.Option(help="JSON file with its sizes.")],
    out: Annotated[Path, typer.Option(help="Folder for the model; new or empty.")],
) -> None:
    """Convert a checkpoint of the public LM2 code into a folder that from_pretrained opens."""
    from lm2core.reference.convert import convert_reference as run

    for note in run(file, config, out):
        typer.echo(f"note: {note}")
    typer.echo(
        f"written: {out}; to load it, import LM2ForCausalLM from lm2core, then call "
        "transformers.AutoModelForCausalLM.from_pretrained"
    )


def _say_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Print a warning in one line, without its source location."""
    typer.echo(f"lm2: {' '.join(str(message).split())}", err=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; a UserError is one line on stderr and exit status 2; a bug keeps its traceback."""
    try:
        typed = sys.argv[1:] if arguments is None else list(arguments)
        with warnings.catch_warnings():
            warnings.showwarning = _say_warning
            return app(args=typed or ["--help"], standalone_mode=False) or 0
    except ClickException as error:
        typer.echo(f"lm2: {error.format_message().rstrip('.')}. See: lm2 --help", err=True)
        return 2
    except UserError as error:
        typer.echo(f"lm2: {' '.join(str(error).split())}", err=True)
        return 2


if __name__ == "__main__":
    sys.exit(main())
