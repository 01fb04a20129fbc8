"""The ``lm2`` command. Heavy imports happen inside the commands, so that --help answers at once."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from typer._click.exceptions import ClickException  # typer carries its own click

app = typer.Typer(
    help="Train an LM2, run it, and look into its memory.",
    add_completion=False,
    pretty_exceptions_enable=False,
)
Checkpoint = Annotated[
    str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
]


@app.command()
def train(
    preset: Annotated[str, typer.Option(help="Model and recipe.")] = "babi-tiny",
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, metrics and the trained model.")] = ...,  # type: ignore[assignment]
    tasks: Annotated[
        str, typer.Option(help="Tasks by commas, all by default; training always begins with qa1.")
    ] = "",
    seed: Annotated[int, typer.Option(help="Same seed, same loss on one machine.")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="Optimizer steps; the preset's by default.")] = None,  # type: ignore[assignment]
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest whole checkpoint in --out.")
    ] = False,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Faster steps after a wait of some minutes.")
    ] = False,
) -> None:
    """Train on fresh bAbI stories."""
    from dataclasses import replace

    from lm2core.recipe import PRESETS
    from lm2core.train import train as run

    if preset not in PRESETS:
        raise ValueError(f"unknown preset {preset!r}; known: {', '.join(PRESETS)}")
    recipe = replace(PRESETS[preset], seed=seed, compile=compile_)
    if tasks:
        recipe = replace(recipe, tasks=tuple(task.strip() for task in tasks.split(",")))
    if steps is not None:
        recipe = replace(recipe, n_steps=steps)
    run(recipe, out, resume=resume)
    typer.echo(f"trained: {out}; next: lm2 eval {out} --babi FILE")


@app.command(name="eval")
def evaluate(
    checkpoint: Checkpoint,
    babi: Annotated[list[Path], typer.Option(help="Files in the bAbI format.", metavar="PATH...")],
    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,  # the paths after the first
    json_out: Annotated[Path | None, typer.Option("--json", help="Also write the figures there.")] = None,
) -> None:
    """Accuracy on bAbI files: exact match, with a 95 % interval and the floors that need no model."""
    from rich.console import Console
    from rich.table import Table

    from lm2core.babi.text import read_babi
    from lm2core.checkpoints import load_reader
    from lm2core.evaluate import predict, score
    from lm2core.files import write_whole

    files = [
        (path, read_babi(path)) for path in [*babi, *(more or [])]
    ]  # a broken file is found before the model is opened
    reader = load_reader(checkpoint)
    table = Table("task", "n", "accuracy", "95 % interval", "floor: majority", "floor: last place")
    rows = []
    for path, stories in files:
        s = score(stories, predict(reader, stories))
        table.add_row(
            path.stem.split("_")[0],
            str(s.n),
            f"{s.accuracy:.1%}",
            f"{s.low:.1%} to {s.high:.1%}",
            f"{s.majority:.1%}",
            f"{s.last_mentioned:.1%}",
        )
        rows.append(
            {
                "task": path.stem.split("_")[0],
                "file": str(path),
                "n": s.n,
                "accuracy": s.accuracy,
                "model": checkpoint,
                "low": s.low,
                "high": s.high,
                "majority": s.majority,
                "last_mentioned": s.last_mentioned,
            }
        )
    Console().print(table)
    if json_out is not None:
        write_whole(json_out, json.dumps(rows, indent=2) + "\n")


@app.command()
def babi(
    task: Annotated[str, typer.Option(help="qa1, qa2 or qa3.")],
    out: Annotated[Path, typer.Option(help="Folder to write TASK_generated.txt to.")],
    stories: Annotated[int, typer.Option(min=1, help="How many stories, five questions each.")] = 200,
    seed: Annotated[int, typer.Option(help="Same seed, same file.")] = 0,
) -> None:
    """Write generated stories in the bAbI file format."""
    from random import Random

    from lm2core.babi.tasks import get_task, make_story
    from lm2core.babi.text import write_babi

    get_task(task)
    rng = Random(seed)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"cannot make folder {out}: {error.strerror}; choose another") from None
    path = out / f"{task}_generated.txt"
    write_babi(path, [make_story(task, rng) for _ in range(stories)])
    typer.echo(str(path))


@app.command()
def ask(
    checkpoint: Checkpoint,
    story: Annotated[Path, typer.Option(help="Text file, one sentence a line.")],
    question: Annotated[str, typer.Option(help='For example "Where is Mary?"')],
) -> None:
    """Read a story and answer a question about it, with the likeliest answers and their probabilities."""
    from lm2core.answers import ask as answer
    from lm2core.answers import bank_after, read_story
    from lm2core.babi.text import read_sentences
    from lm2core.checkpoints import load_reader

    sentences = read_sentences(story)
    reader = load_reader(checkpoint)
    bank = bank_after(read_story(reader, sentences, names=["hook_bank"]), len(sentences), reader.model)
    best = answer(reader, question, bank)
    typer.echo(best.words[0])
    for word, probability in list(zip(best.words, best.probabilities, strict=True))[:6]:
        typer.echo(f"  {probability:6.1%}  {word}")


@app.command()
def trace(
    checkpoint: Checkpoint,
    story: Annotated[Path, typer.Option(help="Text file, one sentence a line.")],
    out: Annotated[Path, typer.Option(help="Trace file to write.")],
    hooks: Annotated[
        str, typer.Option(help="Hook names or patterns, by commas; see docs/HOOKS.md.")
    ] = "mem.*,hook_bank",
    budget: Annotated[str, typer.Option(help="Refuse a larger trace before it is made.")] = "512MB",
) -> None:
    """Record what the memory does while a story is read."""
    from lm2core.answers import read_story
    from lm2core.babi.text import read_sentences
    from lm2core.checkpoints import load_reader

    sentences = read_sentences(story)
    names = [name.strip() for name in hooks.split(",") if name.strip()]
    recorded = read_story(load_reader(checkpoint), sentences, names=names, budget=budget)
    recorded.save(out)
    typer.echo(f"{out}: {len(recorded.arrays)} arrays over {recorded.n_segments} sentences")


@app.command()
def models() -> None:
    """List the models that come with the package."""
    from lm2core.checkpoints import SHIPPED, shipped_models

    for name in shipped_models():
        config = json.loads((SHIPPED / name / "config.json").read_text(encoding="utf-8"))
        size = sum(f.stat().st_size for f in (SHIPPED / name).glob("*.safetensors"))
        typer.echo(
            f"{name}: {config['num_hidden_layers']} blocks, width {config['hidden_size']}, "
            f"{config['memory_slots']} slots, {size / 1e6:.1f} MB"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; an error a user can mend is one line on stderr and exit status 2."""
    try:
        typed = sys.argv[1:] if arguments is None else list(arguments)
        return app(args=typed or ["--help"], standalone_mode=False) or 0
    except ClickException as error:
        typer.echo(f"lm2: {error.format_message().rstrip('.')}. See: lm2 --help", err=True)
        return 2
    except (ValueError, KeyError, OSError) as error:
        message = error.args[0] if isinstance(error, KeyError) else error
        typer.echo(f"lm2: {' '.join(str(message).split())}", err=True)
        return 2


if __name__ == "__main__":
    sys.exit(main())
