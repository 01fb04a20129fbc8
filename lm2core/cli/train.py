"""``lm2 train``: trains on stories or on text, by preset, and checks the options that belong to it."""

from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.training.recipe import Recipe
    from lm2core.training.text_recipe import TextRecipe

FLAGS = {
    "n_steps": "steps",
    "batch_size": "batch",
    "start_from": "from",
}  # whose names are not those of the recipe's fields


def train(
    out: Annotated[Path, typer.Option(help="Folder for checkpoints, metrics and the trained model.")],
    preset: Annotated[
        str | None,
        typer.Option(
            help="Model and recipe: babi-tiny, babilong-tiny, or with --text text-tiny, base, lm2-1.7b."
        ),
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(
            help="lm2, or a baseline with as many parameters: rmt, llama-window (sees one segment), "
            "llama-full (sees the whole text)."
        ),
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option(help="Stories: comma-separated tasks, by default all; training always begins with qa1."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Text to train on: a file, a folder (.txt, .md, .jsonl), or a hub data set's id."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Text: tokenizer, folder or Hugging Face id; by default one is trained on the text."
        ),
    ] = None,
    llama: Annotated[
        str | None, typer.Option(help="Text: a Llama to add a memory to, folder or Hugging Face id.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option("--from", help="Stories: a checkpoint to start from; by default a new model."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="Stories: text to hide them in; a file, a folder, the id of a hub data set, or 'python' for "
            "Python's own documentation."
        ),
    ] = None,
    memory_slots: Annotated[
        int | None, typer.Option(min=1, help="Slots of a new memory, on stories or with --llama.")
    ] = None,
    memory_layers: Annotated[
        str | None, typer.Option(help="Stories: comma-separated blocks that have memory; by default all.")
    ] = None,
    stage_steps: Annotated[
        str | None,
        typer.Option(
            help="Stories: comma-separated steps of each stage but the last; by default a stage ends when it "
            "is mastered."
        ),
    ] = None,
    freeze_backbone: Annotated[
        bool | None, typer.Option("--freeze-backbone", help="With --llama: train only the memory.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same loss on one machine.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; by default the preset's.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="Peak learning rate; by default the preset's.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Text: blocks in one pass, per process.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, help="Text: passes per step (gradient accumulation).")
    ] = None,
    backprop_segments: Annotated[
        int | None, typer.Option(min=0, help="Text: gradients run back through this many segments; 0: all.")
    ] = None,
    bf16: Annotated[bool | None, typer.Option("--bf16/--no-bf16", help="Text: mixed precision.")] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option("--checkpointing/--no-checkpointing", help="Text: use less memory, with slower steps."),
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Faster steps after a few minutes of compiling.")
    ] = False,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Steps between checkpoints; by default the preset's.")
    ] = None,
    keep_all: Annotated[
        bool | None,
        typer.Option(
            "--keep-all", help="Keep every checkpoint, which 'lm2 emergence' needs; else only the two newest."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Resume from the newest complete checkpoint in --out.")
    ] = False,
) -> None:
    """Train on freshly generated bAbI stories, or with --text as a language model on any text."""
    chosen = {
        "architecture": architecture,
        "tasks": tuple(task.strip() for task in tasks.split(",")) if tasks else None,
        "text": text,
        "tokenizer": tokenizer,
        "llama": llama,
        "start_from": start_from,
        "noise": noise,
        "memory_layers": _numbers(memory_layers, "--memory-layers") if memory_layers else None,
        "stage_steps": _numbers(stage_steps, "--stage-steps") if stage_steps else None,
        "memory_slots": memory_slots,
        "freeze_backbone": freeze_backbone,
        "seed": seed,
        "n_steps": steps,
        "learning_rate": learning_rate,
        "batch_size": batch,
        "accumulate": accumulate,
        "backprop_segments": backprop_segments,
        "bf16": bf16,
        "checkpointing": checkpointing,
        "compile": compile_,
        "save_every": save_every,
        "keep_all": keep_all,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    recipe = _recipe(preset or ("babi-tiny" if text is None else "text-tiny"), given)
    _run(recipe, out, resume=resume)


def _numbers(typed: str, option: str) -> tuple[int, ...]:
    """Comma-separated whole numbers, as typed for ``option``."""
    try:
        return tuple(int(number) for number in typed.split(","))
    except ValueError:
        raise UserError(f"{option} {typed!r} must be comma-separated whole numbers, e.g. 1,3") from None


def _recipe(preset: str, given: dict[str, Any]) -> "Recipe | TextRecipe":
    """The preset with the given options; options that its kind of training does not have are refused."""
    from lm2core.training.recipe import PRESETS
    from lm2core.training.text_recipe import TEXT_PRESETS

    recipes = PRESETS | TEXT_PRESETS
    if preset not in recipes:
        raise UserError(f"unknown preset {preset!r}; known: {', '.join(recipes)}")
    names = {field.name for field in fields(recipes[preset])}
    other = [f"--{FLAGS.get(name, name).replace('_', '-')}" for name in given if name not in names]
    if other and preset in PRESETS:
        raise UserError(
            f"preset {preset!r} trains on stories and has no {', '.join(other)}; "
            f"omit it, or train on text with --text PATH and --preset {', '.join(TEXT_PRESETS)}"
        )
    if other:
        raise UserError(f"preset {preset!r} trains on text and has no {', '.join(other)}; omit it")
    if preset in TEXT_PRESETS and "text" not in given:
        raise UserError(f"preset {preset!r} trains on text; add --text PATH")
    return replace(recipes[preset], **given)


def _run(recipe: "Recipe | TextRecipe", out: Path, *, resume: bool) -> None:
    """Train, and print the result and the next command in one line."""
    from lm2core.model.sizes import n_parameters
    from lm2core.training.progress import last_logged
    from lm2core.training.run_folder import is_first_process
    from lm2core.training.stories import train as train_on_stories
    from lm2core.training.text import train_text
    from lm2core.training.text_recipe import TextRecipe
    from lm2core.training.trainer import close_process_group

    if isinstance(recipe, TextRecipe):
        model = train_text(recipe, out, resume=resume)
    else:
        model = train_on_stories(recipe, out, resume=resume)
    close_process_group()
    if not is_first_process():
        return
    numbers = last_logged(out / "metrics.jsonl")
    what = f"{recipe.architecture} of {n_parameters(model):,} parameters in {out}"
    if numbers["n_skipped"]:
        what += f", {numbers['n_skipped']} steps skipped because they were not finite"
    if isinstance(recipe, TextRecipe):
        loss, perplexity = numbers["eval_loss"], numbers["eval_perplexity"]
        typer.echo(f"trained: {what}; held-out loss {loss:.3f} nats, perplexity {perplexity:.1f}")
    else:
        typer.echo(f"trained: {what}; next: lm2 eval {out} --babi FILE")
