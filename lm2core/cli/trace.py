"""``lm2 trace``: record the memory while stories are read, to a file or, in parts, to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.babi.story import Story
    from lm2core.babi.text import TextStory


def trace(
    checkpoint: Annotated[
        str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
    ],
    out: Annotated[Path, typer.Option(help="Trace file to write; for several stories, a new folder.")],
    story: Annotated[Path | None, typer.Option(help="One story: a text file, one sentence per line.")] = None,
    babi: Annotated[Path | None, typer.Option(help="Several stories: a file in the bAbI format.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Several stories: generated ones of qa1 to qa20, with known facts.")
    ] = None,
    stories: Annotated[int, typer.Option(min=1, help="With --task: number of stories.")] = 100,
    seed: Annotated[int, typer.Option(help="With --task: the same seed gives the same stories.")] = 0,
    hooks: Annotated[
        str, typer.Option(help="Comma-separated hook names or patterns; see docs/HOOKS.md.")
    ] = "mem.*,hook_bank",
    budget: Annotated[
        str, typer.Option(help="Largest size of a trace, checked before it is made; per part for a folder.")
    ] = "512MB",
) -> None:
    """Record the memory while one or many stories are read."""
    if [story, babi, task].count(None) != 2:
        raise UserError("give exactly one of --story FILE, --babi FILE and --task NAME")
    from lm2core.reading.checkpoints import load

    names = [name.strip() for name in hooks.split(",") if name.strip()]
    if story is not None:
        from lm2core.babi.text import read_sentences
        from lm2core.reading.answers import read_story

        sentences = read_sentences(story)
        recorded = read_story(load(checkpoint), sentences, names=names, budget=budget)
        recorded.save(out)
        typer.echo(f"{out}: {len(recorded.arrays)} arrays over {recorded.n_segments} sentences")
        return
    from lm2core.reading.story_traces import record_to

    story_list = _stories(babi, task, stories, seed)
    parts = record_to(out, load(checkpoint), story_list, names=names, budget=budget)
    typer.echo(f"{out}: {len(story_list)} stories in {len(parts)} part{'s' * (len(parts) > 1)}")


def _stories(babi: Path | None, task: str | None, n: int, seed: int) -> "list[Story] | list[TextStory]":
    if babi is not None:
        from lm2core.babi.text import read_babi

        return read_babi(babi)
    from lm2core.babi.tasks import make_stories

    return make_stories(str(task), n, seed)
