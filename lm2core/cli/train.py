"""``lm2 train``: which kind of training a preset is, and which options belong to it."""

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
        typer.Option(help="Stories: tasks by commas, all by default; training always begins with qa1."),
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(help="Text to train on: a file, a folder (.txt, .md, .jsonl), or a hub data set's id."),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            help="Text: tokenizer's folder or Hugging Face id; by default one is trained on the text."
        ),
    ] = None,
    llama: Annotated[
        str | None, typer.Option(help="Text: a Llama to give a memory to, folder or Hugging Face id.")
    ] = None,
    start_from: Annotated[
        str | None,
        typer.Option("--from", help="Stories: a checkpoint to go on from; by default a new model."),
    ] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help='Stories: text to hide them in; a file, a folder, a hub data set\'s id, or "python" for the '
            "documentation that every Python has."
        ),
    ] = None,
    memory_slots: Annotated[
        int | None, typer.Option(min=1, help="Slots of a new memory, on stories or with --llama.")
    ] = None,
    memory_layers: Annotated[
        str | None, typer.Option(help="Stories: blocks that have memory, by commas; all by default.")
    ] = None,
    stage_steps: Annotated[
        str | None,
        typer.Option(
            help="Stories: steps of each stage but the last, by commas; by default a stage is left once it "
            "is mastered."
        ),
    ] = None,
    freeze_backbone: Annotated[
        bool | None, typer.Option("--freeze-backbone", help="With --llama: train only the memory.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same loss on one machine.")] = 0,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimizer steps; the preset's by default.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="At its highest; the preset's by default.")
    ] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Text: blocks in one pass, per process.")] = None,
    accumulate: Annotated[
        int | None, typer.Option(min=1, help="Text: passes that make one step; saves memory.")
    ] = None,
    backprop_segments: Annotated[
        int | None, typer.Option(min=0, help="Text: gradients run back through so many segments; 0: all.")
    ] = None,
    bf16: Annotated[bool | None, typer.Option("--bf16/--no-bf16", help="Text: mixed precision.")] = None,
    checkpointing: Annotated[
        bool | None,
        typer.Option("--checkpointing/--no-checkpointing", help="Text: less memory, slower steps."),
    ] = None,
    compile_: Annotated[
        bool, typer.Option("--compile", help="Faster steps after a wait of some minutes.")
    ] = False,
    save_every: Annotated[
        int | None, typer.Option(min=1, help="Steps from checkpoint to checkpoint; the preset's by default.")
    ] = None,
    keep_all: Annotated[
        bool | None,
        typer.Option(
            "--keep-all", help="Keep every checkpoint, as 'lm2 emergence' needs; else the two newest."
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the newest whole checkpoint in --out.")
    ] = False,
) -> None:
    """Train on fresh bAbI stories, or with --text as a language model on any text."""
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
    """Whole numbers by commas, as typed for ``option``."""
    try:
        return tuple(int(number) for number in typed.split(","))
    except ValueError:
        raise UserError(f"{option} {typed!r} must be whole numbers by commas, e.g. 1,3") from None


def _recipe(preset: str, given: dict[str, Any]) -> "Recipe | TextRecipe":
    """The preset with what was given; an option that its kind of training does not have is refused."""
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
            f"to train on text: --text PATH --preset {', '.join(TEXT_PRESETS)}"
        )
    if other:
        raise UserError(f"preset {preset!r} trains on text and has no {', '.join(other)}; leave it out")
    if preset in TEXT_PRESETS and "text" not in given:
        raise UserError(f"preset {preset!r} trains on text; say on which: --text PATH")
    return replace(recipes[preset], **given)


def _run(recipe: "Recipe | TextRecipe", out: Path, *, resume: bool) -> None:
    """Train, and say in one line what came of it and what to do next."""
    from lm2core.model.sizes import n_parameters
    from lm2core.training.progress import last_logged
    from lm2core.training.run_folder import is_first_process
    from lm2core.training.stories import train as train_on_stories
    from lm2core.training.text import train_text
    from lm2core.training.text_recipe import TextRecipe
    from lm2core.training.trainer import close_process_group

    try:
        if isinstance(recipe, TextRecipe):
            model = train_text(recipe, out, resume=resume)
        else:
            model = train_on_stories(recipe, out, resume=resume)
    except KeyboardInterrupt:
        if is_first_process():
            typer.echo(f"lm2: interrupted; {_what_is_left(recipe, out)}", err=True)
        raise typer.Exit(130) from None
    close_process_group()
    if not is_first_process():
        return
    numbers = last_logged(out / "metrics.jsonl")
    what = f"{recipe.architecture} of {n_parameters(model):,} parameters in {out}"
    if numbers["n_skipped"]:
        what += f", {numbers['n_skipped']} steps skipped as not finite"
    if isinstance(recipe, TextRecipe):
        loss, perplexity = numbers["eval_loss"], numbers["eval_perplexity"]
        typer.echo(f"trained: {what}; held-out loss {loss:.3f} nats, perplexity {perplexity:.1f}")
    else:
        typer.echo(f"trained: {what}; next: lm2 eval {out} --babi FILE")


def _what_is_left(recipe: "Recipe | TextRecipe", out: Path) -> str:
    """Of a run that was interrupted: its newest whole checkpoint, and how to go on."""
    from lm2core.training.run_folder import SKIPS_FILE, STAGE_FILE, newest_checkpoint
    from lm2core.training.text_recipe import TextRecipe

    newest = newest_checkpoint(out, SKIPS_FILE if isinstance(recipe, TextRecipe) else STAGE_FILE)
    if newest is not None:
        return f"the newest checkpoint is {newest}; to go on, give the same command with --resume"
    if out.is_dir() and any(out.iterdir()):
        return f"no checkpoint was written yet; to begin again, choose another folder or delete {out}"
    return "nothing was written yet; to begin again, give the same command"
