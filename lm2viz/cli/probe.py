"""``lm2 probe``: which slot holds which fact, and for how long."""

from typing import Annotated

import typer

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
    """Find the slot that holds each fact with linear probes; controls: shuffled labels, no training."""
    label_table = labels_of(labels)
    prepare(out, image)
    from lm2viz.probes import codelength, decay, learning_curve, probe
    from lm2viz.sample.rows import bank_rows

    traces, of_control = read_both(*open_sample(source, task, stories, seed, label_table))
    rows = bank_rows(traces, label_table)
    untrained = None if of_control is None else bank_rows(of_control, label_table)
    facts = None if fact is None else [fact]
    write_result("probes", probe(rows, facts=facts, untrained=untrained, seed=seed), out, image)
    write_result("probes-by-age", decay(rows, facts=facts, untrained=untrained, seed=seed), out, image)
    if fact is not None:
        for name, measure in (("code-length", codelength), ("learning-curve", learning_curve)):
            write_result(name, measure(rows, fact, untrained=untrained, seed=seed), out, image)
