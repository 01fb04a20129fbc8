"""``lm2 trace``: record the memory while stories are read, to a file or, in parts, to a folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.byte_sizes import format_bytes
from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.babi.story import Story
    from lm2core.babi.text import TextStory
    from lm2core.traces.reductions import Reduction


def trace(
    checkpoint: Annotated[
        str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
    ],
    out: Annotated[Path, typer.Option(help="Trace file to write; for several stories, a new folder.")],
    story: Annotated[Path | None, typer.Option(help="One story: a text file, one sentence per line.")] = None,
    babi: Annotated[Path | None, typer.Option(help="Several stories: a file in the bAbI format.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Several generated stories with known facts: qa1 to qa20, or one-fact.")
    ] = None,
    stories: Annotated[int, typer.Option(min=1, help="With --task: number of stories.")] = 100,
    seed: Annotated[int, typer.Option(help="With --task: the same seed gives the same stories.")] = 0,
    hooks: Annotated[
        str, typer.Option(help="Comma-separated hook names or patterns; see docs/HOOKS.md.")
    ] = "mem.*,hook_bank",
    reduce: Annotated[
        str | None,
        typer.Option(
            help="What to average, with commas: heads (of patterns), width (of gates); see docs/TRACES.md."
        ),
    ] = None,
    slots: Annotated[str | None, typer.Option(help="Keep these slots only, e.g. 3,7.")] = None,
    tokens: Annotated[str | None, typer.Option(help="Keep these tokens of each sentence only.")] = None,
    dtype: Annotated[str, typer.Option(help="Type of the values: float32 or bfloat16.")] = "float32",
    budget: Annotated[
        str, typer.Option(help="Largest size of a trace, checked before it is made; per part for a folder.")
    ] = "512MB",
) -> None:
    """Record the memory while one or many stories are read."""
    if [story, babi, task].count(None) != 2:
        raise UserError("give exactly one of --story FILE, --babi FILE and --task NAME")
    from lm2core.reading.checkpoints import load

    names = [name.strip() for name in hooks.split(",") if name.strip()]
    kept = _reduction(reduce, slots, tokens, dtype)
    if story is not None:
        from lm2core.babi.text import TextStory, read_sentences
        from lm2core.reading.answers import read_story
        from lm2core.reading.story_traces import recorded_bytes

        sentences, lm = read_sentences(story), load(checkpoint)
        one = [TextStory(tuple(sentences), ())]
        _announce(recorded_bytes(lm, one, names=names, reduce=kept, budget=budget))
        recorded = read_story(lm, sentences, names=names, reduce=kept, budget=budget, to=out)
        typer.echo(f"{out}: {len(recorded.arrays)} arrays over {recorded.n_segments} sentences, {_size(out)}")
        return
    from lm2core.reading.story_traces import record_to, recorded_bytes

    story_list, lm = _stories(babi, task, stories, seed), load(checkpoint)
    _announce(recorded_bytes(lm, story_list, names=names, reduce=kept, budget=budget))
    parts = record_to(out, lm, story_list, names=names, reduce=kept, budget=budget)
    typer.echo(f"{out}: {len(story_list)} stories in {len(parts)} part{'s' * (len(parts) > 1)}, {_size(out)}")


def _announce(n_bytes: int) -> None:
    typer.echo(f"to be recorded: {format_bytes(n_bytes)}")


def _size(out: Path) -> str:
    files = [out] if out.is_file() else out.iterdir()
    return format_bytes(sum(file.stat().st_size for file in files))


def _reduction(reduce: str | None, slots: str | None, tokens: str | None, dtype: str) -> "Reduction":
    from lm2core.traces.reductions import Reduction

    averaged = [] if reduce is None else [word.strip() for word in reduce.split(",")]
    if unknown := sorted(set(averaged) - {"heads", "width"}):
        raise UserError(f"--reduce {unknown[0]}; give heads, width or both: heads,width")
    return Reduction(
        mean_heads="heads" in averaged,
        mean_width="width" in averaged,
        slots=_numbers("--slots", slots),
        tokens=_numbers("--tokens", tokens),
        dtype=dtype,
    )


def _numbers(option: str, text: str | None) -> tuple[int, ...] | None:
    try:
        return None if text is None else tuple(sorted(int(number) for number in text.split(",")))
    except ValueError:
        raise UserError(f"{option} {text}; give numbers with commas, e.g. 3,7") from None


def _stories(babi: Path | None, task: str | None, n: int, seed: int) -> "list[Story] | list[TextStory]":
    if babi is not None:
        from lm2core.babi.text import read_babi

        return read_babi(babi)
    from lm2core.english.generated import generated_stories

    return generated_stories(str(task), n, seed)
