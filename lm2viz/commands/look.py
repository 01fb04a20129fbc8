"""``lm2 look``: gates and banks of many stories in numbers, and slots on a map."""

from typing import Annotated

import typer

from lm2viz.commands.shared import (
    Image,
    Out,
    Seed,
    Source,
    Stories,
    Task,
    open_sample,
    put_down,
    slot_numbers,
)


def look(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    slots: Annotated[
        str | None, typer.Option(help="Also a map (PCA) of these slots, by commas, coloured by --fact.")
    ] = None,
    fact: Annotated[str, typer.Option(help='Fact that colours the map, or "slot".')] = "slot",
    out: Out = None,
    image: Image = None,
) -> None:
    """How far gates open, how long slots remember, how much of the bank is used; control: no training."""
    from lm2viz.look import bank_stats, gate_stats, map_slots
    from lm2viz.rows import bank_rows

    shown = None if slots is None else slot_numbers("--slots", slots)
    names = ("mem.hook_gate_in", "mem.hook_gate_forget", "hook_bank")
    sample = open_sample(source, task, stories, seed, names=names)
    put_down("gates", gate_stats(sample.traces, untrained=sample.untrained, seed=seed), out, image)
    rows = bank_rows(sample.traces)
    control = None if sample.untrained is None else bank_rows(sample.untrained)
    put_down("bank", bank_stats(rows, untrained=control, seed=seed), out, image)
    if shown is not None:
        put_down("map", map_slots(rows, fact, slots=shown, untrained=control, seed=seed), out, image)
