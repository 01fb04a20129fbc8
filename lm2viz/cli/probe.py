"""``lm2 probe``: which slot holds which fact, whether the answers use it, and for how long it is there."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import (
    Image,
    Labels,
    Out,
    Seed,
    Source,
    Stories,
    Task,
    labels_of,
    open_sample,
    prepare,
    read_both,
    write_result,
)

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel
    from lm2viz.probes import SlotFacts
    from lm2viz.sample.story_sample import StorySample


def probe_command(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    labels: Labels = None,
    fact: Annotated[
        str | None,
        typer.Option(help='One fact only, e.g. "place of Mary"; adds its code length and learning curve.'),
    ] = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """Find the slot that holds each fact with linear probes, and whether the answers use it.

    Controls: shuffled labels, a control task, no training. Use is measured by edits of every slot, for facts
    that a question asks for; recorded traces have no model to edit.
    """
    label_table = labels_of(labels)
    prepare(out, image)
    from lm2viz.probes import codelength, decay_of, learning_curve, probe
    from lm2viz.sample.rows import bank_rows

    sample, lm = open_sample(source, task, stories, seed, label_table)
    traces, of_control = read_both(sample, lm)
    rows = bank_rows(traces, label_table)
    untrained = None if of_control is None else bank_rows(of_control, label_table)
    facts = None if fact is None else [fact]
    probes = probe(rows, facts=facts, untrained=untrained, seed=seed)
    if lm is not None and label_table is None:
        _write_use(lm, probes, sample, out, image)
    write_result("probes", probes, out, image)
    write_result("probes-by-age", decay_of(probes.best), out, image)
    if fact is not None:
        for name, measure in (("code-length", codelength), ("learning-curve", learning_curve)):
            write_result(name, measure(rows, fact, untrained=untrained, seed=seed), out, image)


def _write_use(
    lm: "LoadedModel", probes: "SlotFacts", sample: "StorySample", out: Path | None, image: str | None
) -> None:
    """Print and write whether the answers use what is decoded; or say why that cannot be measured."""
    from lm2viz.causal import slot_use

    try:
        result = slot_use(lm, probes, sample.stories, seed=sample.seed)
    except UserError as error:
        typer.echo(f"whether the answers use it is not measured: {error}", err=True)
        return
    write_result("decoded-and-used", result, out, image)
    typer.echo("")
