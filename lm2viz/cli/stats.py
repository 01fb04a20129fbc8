"""``lm2 look``: gates and banks of many stories in numbers, slots on a map, and where a question looks."""

from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import (
    Image,
    Labels,
    Out,
    Sample,
    Seed,
    Source,
    Stories,
    Task,
    labels_of,
    open_sample,
    prepare,
    put_down,
    rows_of,
    slot_numbers,
)

if TYPE_CHECKING:
    from lm2viz.stats import BeforeAfter


def look(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    slots: Annotated[
        str | None, typer.Option(help="Also a map (PCA) of these slots, by commas, coloured by --fact.")
    ] = None,
    fact: Annotated[
        str | None, typer.Option(help="Fact that colours the map; else which of several slots a point is.")
    ] = None,
    labels: Labels = None,
    ask: Annotated[
        str | None,
        typer.Option(
            help='Also where this question, e.g. "Where is Mary?", looks after the first sentence and at the '
            "end of the shortest story, in each block with memory; of a checkpoint only."
        ),
    ] = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """How far gates open, how long slots remember, how much of the bank is used; control: no training."""
    own = labels_of(labels)
    shown = _on_map(slots, fact)
    prepare(out, image)
    from lm2viz.stats import bank_stats, gate_stats, map_slots

    names = ("mem.hook_gate_in", "mem.hook_gate_forget", "hook_bank")
    sample = open_sample(source, task, stories, seed, names=names)
    reads = {} if ask is None else _reads(sample, ask, seed)
    rows, control = rows_of(sample, own)
    put_down("gates", gate_stats(sample.traces, untrained=sample.untrained, seed=seed), out, image)
    put_down("bank", bank_stats(rows, untrained=control, seed=seed), out, image)
    if shown is not None:
        drawn = map_slots(rows, fact or "slot", slots=shown, untrained=control, seed=seed)
        put_down("map", drawn, out, image)
    for block, found in reads.items():
        put_down(f"reads-{block}", found, out, image)


def _on_map(slots: str | None, fact: str | None) -> tuple[int, ...] | None:
    """The slots of a map, where one is asked for; a UserError where its points would be of one colour."""
    if slots is None:
        if fact is not None:
            raise UserError(f'--fact "{fact}" colours a map of slots; give them by commas with --slots')
        return None
    shown = slot_numbers("--slots", slots)
    if len(shown) == 1 and fact in (None, "slot"):
        raise UserError(
            f'--slots {slots} is one slot, all of one colour; give --fact, such as "place of Mary"'
        )
    return shown


def _reads(sample: Sample, question: str, seed: int) -> "dict[int, BeforeAfter]":
    """How far the question's read moves, in each block with memory; a UserError for traces from files."""
    from lm2core.reading.answers import as_question
    from lm2core.reading.loaded_model import untrained
    from lm2core.reading.story_traces import record_questions
    from lm2viz.stats import Look, ask_at, compare_reads

    if sample.reader is None or sample.untrained is None:
        raise UserError("--ask needs the model that is asked; give a checkpoint instead of traces")
    readers = (sample.reader, untrained(sample.reader, seed))
    (trace,), (of_control,) = sample.traces, sample.untrained
    end = min(map(len, trace.tokens))
    if end < 2:
        raise UserError("--ask needs stories of two sentences or more; choose another --task or --seed")
    asked, control = (
        record_questions(reader, ask_at(told, as_question(question), (1, end)))
        for reader, told in zip(readers, (trace, of_control), strict=True)
    )
    return {
        block: compare_reads(asked, Look(1, end, block), untrained=control, seed=seed)
        for block in asked.blocks
    }
