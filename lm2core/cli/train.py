"""``lm2 train``: its options are the fields of the recipes; checks which belong to the preset, and trains."""

from dataclasses import Field, fields, replace
from inspect import Parameter, Signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args

import typer

from lm2core.errors import UserError
from lm2core.training.beside.recipe import BESIDE_PRESETS, BESIDE_UNUSED, BesideRecipe
from lm2core.training.recipe import PRESETS, Recipe, RunRecipe
from lm2core.training.text_recipe import TEXT_PRESETS, TextRecipe

# Where the help shows the options that a recipe adds.
PANELS: dict[type[RunRecipe], str | None] = {
    RunRecipe: None,
    Recipe: "On stories",
    TextRecipe: "On text (with --text)",
    BesideRecipe: "Beside a frozen Llama (with --preset " + ", ".join(BESIDE_PRESETS) + ")",
}


def train(out: Path, preset: str | None, resume: bool, **typed: Any) -> None:
    """Train on fresh bAbI stories, with --stories on your own, or with --text as a language model."""
    given = {name: _value(OPTIONS[name], value) for name, value in typed.items() if value is not None}
    usual = "llama" if "llama" in given else "text-tiny" if "text" in given else "babi-tiny"
    recipe = _recipe(preset or usual, given)
    if isinstance(recipe, BesideRecipe):
        _run_beside(recipe, out, resume=resume)
    else:
        _run(recipe, out, resume=resume)


def _options() -> dict[str, Field[Any]]:
    """The recipes' fields that are options, by name. A field that only changes a default adds none."""
    options: dict[str, Field[Any]] = {}
    for recipe in PANELS:
        for field in fields(recipe):
            if "help" in field.metadata:
                options.setdefault(field.name, field)
    return options


OPTIONS = _options()


def _signature() -> Signature:
    """The command's parameters as typer reads them: its own, then the recipes' options."""
    presets = (
        f"{', '.join(PRESETS)}; with --text {', '.join(TEXT_PRESETS)}; beside a frozen Llama "
        f"{', '.join(BESIDE_PRESETS)}"
    )
    own = [
        _parameter(
            "out", Path, typer.Option(..., help="Folder for checkpoints, metrics and the trained model.")
        ),
        _parameter("preset", str | None, typer.Option(None, help=f"Model and recipe: {presets}.")),
        _parameter(
            "resume",
            bool,
            typer.Option(False, "--resume", help="Resume from the newest complete checkpoint in --out."),
        ),
    ]
    return Signature(own + [_as_parameter(field) for field in OPTIONS.values()])


def _as_parameter(field: Field[Any]) -> Parameter:
    """A recipe's field as an option, None if it is not given; comma-separated values are typed as text."""
    panel = next(panel for recipe, panel in PANELS.items() if _has(recipe, field.name))
    kind = _kind(field) if _kind(field) in (bool, int, float) else str
    option = typer.Option(
        None, _flag(field), help=field.metadata["help"], min=field.metadata["least"], rich_help_panel=panel
    )
    return _parameter(field.name, kind | None, option)


def _has(recipe: type[RunRecipe] | RunRecipe, name: str) -> bool:
    return name in {field.name for field in fields(recipe)}


def _parameter(name: str, kind: Any, option: Any) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=option, annotation=kind)


def _kind(field: Field[Any]) -> Any:
    """The type of a field's value when it has one."""
    if not isinstance(field.type, UnionType):
        return field.type
    return next(kind for kind in get_args(field.type) if kind is not NoneType)


def _flag(field: Field[Any]) -> str:
    """The flag of an option, ``--on/--off`` for a switch with two sides."""
    return str(field.metadata["flag"] or f"--{field.name.replace('_', '-')}")


def _value(field: Field[Any], typed: Any) -> Any:
    """The typed value as the recipe stores it."""
    if _kind(field) == tuple[str, ...]:
        return tuple(part.strip() for part in typed.split(","))
    if _kind(field) == tuple[int, ...]:
        return _numbers(typed, _flag(field))
    return typed


def _numbers(typed: str, flag: str) -> tuple[int, ...]:
    """Comma-separated whole numbers, as typed after ``flag``."""
    try:
        return tuple(int(number) for number in typed.split(","))
    except ValueError:
        raise UserError(f"{flag} {typed!r} must be comma-separated whole numbers, e.g. 1,3") from None


def _recipe(preset: str, given: dict[str, Any]) -> Recipe | TextRecipe | BesideRecipe:
    """The preset with the given options; options that its kind of training does not have are refused."""
    recipes: dict[str, Recipe | TextRecipe | BesideRecipe] = {**PRESETS, **TEXT_PRESETS, **BESIDE_PRESETS}
    if preset not in recipes:
        raise UserError(f"unknown preset {preset!r}; known: {', '.join(recipes)}")
    unused = BESIDE_UNUSED if preset in BESIDE_PRESETS else ()
    flags = [
        _flag(OPTIONS[name]).split("/")[0]
        for name in given
        if name in unused or not _has(recipes[preset], name)
    ]
    other = ", ".join(flags)
    if other and preset in PRESETS:
        raise UserError(
            f"preset {preset!r} trains on stories and has no {other}; "
            f"omit it, or train on text with --text PATH and --preset {', '.join(TEXT_PRESETS)}"
        )
    if other:
        kind = "on text" if preset in TEXT_PRESETS else "a memory beside a frozen Llama"
        raise UserError(f"preset {preset!r} trains {kind} and has no {other}; omit it")
    if preset in TEXT_PRESETS and "text" not in given:
        raise UserError(f"preset {preset!r} trains on text; add --text PATH")
    return replace(recipes[preset], **given)


def _run(recipe: Recipe | TextRecipe, out: Path, *, resume: bool) -> None:
    """Train, and print the result and the next command in one line."""
    from lm2core.model.sizes import n_parameters
    from lm2core.training.progress import last_logged
    from lm2core.training.run_folder import is_first_process
    from lm2core.training.stories import train as train_on_stories
    from lm2core.training.text import train_text
    from lm2core.training.trainer import close_process_group

    try:
        if isinstance(recipe, TextRecipe):
            model = train_text(recipe, out, resume=resume)
        else:
            model = train_on_stories(recipe, out, resume=resume)
    except KeyboardInterrupt:
        if is_first_process():
            typer.echo(f"lm2: interrupted; {_what_is_saved(recipe, out)}", err=True)
        raise typer.Exit(130) from None
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
    elif recipe.stories is not None:
        typer.echo(f"trained: {what}; {_held_out_score(out)}")
    else:
        typer.echo(f"trained: {what}; next: lm2 eval {out} --babi FILE")


def _run_beside(recipe: BesideRecipe, out: Path, *, resume: bool) -> None:
    """Train a memory beside a frozen Llama, and print the result and the next command in one line."""
    from lm2core.model.sizes import n_memory_parameters
    from lm2core.training.beside.train import train_beside
    from lm2core.training.progress import last_logged

    try:
        model = train_beside(recipe, out, resume=resume)
    except KeyboardInterrupt:
        typer.echo("lm2: interrupted; finished stages are kept: repeat the command with --resume", err=True)
        raise typer.Exit(130) from None
    share = last_logged(out / "metrics.jsonl")["unseen_accuracy"]
    typer.echo(
        f"trained: a memory of {n_memory_parameters(model):,} parameters in {out}; right answers in stories "
        f"of unseen words: {share:.1%}; next: lm2 ask {out} --story FILE --question 'Where is Mary?'"
    )


def _held_out_score(out: Path) -> str:
    """How the saved model answers about the held-out stories, and where they are."""
    from lm2core.babi.text import read_babi
    from lm2core.evaluation.stories import predict, score
    from lm2core.reading.checkpoints import load
    from lm2core.training.own_stories import HELD_OUT_FOLDER

    folder = out / HELD_OUT_FOLDER
    stories = [story for file in sorted(folder.glob("*.txt")) for story in read_babi(file)]
    result = score(stories, predict(load(str(out), baselines=True), stories))
    return (
        f"right answers to {result.n} questions about {len(stories)} held-out stories: {result.accuracy:.1%} "
        f"(95 % interval {result.low:.1%} to {result.high:.1%}; always the most common answer: "
        f"{result.majority:.1%}); next: lm2 eval {out} --babi {folder}/*.txt"
    )


def _what_is_saved(recipe: Recipe | TextRecipe, out: Path) -> str:
    """What an interrupted run has saved, and how to resume it."""
    from lm2core.training.run_folder import SKIPS_FILE, STAGE_FILE, newest_checkpoint

    newest = newest_checkpoint(out, SKIPS_FILE if isinstance(recipe, TextRecipe) else STAGE_FILE)
    if newest is not None:
        return f"the newest checkpoint is {newest}; to resume, repeat the command with --resume"
    if out.is_dir() and any(out.iterdir()):
        return f"no checkpoint was written yet; to start again, choose another folder or delete {out}"
    return "nothing was written yet; repeat the command to start again"


train.__signature__ = _signature()  # type: ignore[attr-defined]
