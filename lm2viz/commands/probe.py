"""``lm2 probe``: which slot holds which fact, and for how long."""

from pathlib import Path
from typing import Annotated

import typer

from lm2viz.commands.shared import Image, Out, Seed, Source, Stories, Task, open_sample, put_down


def probe(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    labels: Annotated[
        Path | None, typer.Option(help="With traces: a CSV of facts, columns story, segment, fact, value.")
    ] = None,
    fact: Annotated[
        str | None,
        typer.Option(help='One fact only, e.g. "place of Mary": also its code length and learning curve.'),
    ] = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """Which slot holds which fact: linear probes, beside what they reach on shuffled labels or untrained."""
    from lm2viz.probes import codelength, decay, learning_curve, slot_fact_matrix
    from lm2viz.rows import bank_rows, read_labels

    own = None if labels is None else read_labels(labels)
    sample = open_sample(source, task, stories, seed)
    rows = bank_rows(sample.traces, own)
    untrained = None if sample.untrained is None else bank_rows(sample.untrained, own)
    facts = None if fact is None else [fact]
    put_down("probes", slot_fact_matrix(rows, facts=facts, untrained=untrained, seed=seed), out, image)
    put_down("probes-by-age", decay(rows, facts=facts, untrained=untrained, seed=seed), out, image)
    if fact is not None:
        for name, measure in (("code-length", codelength), ("learning-curve", learning_curve)):
            put_down(name, measure(rows, fact, untrained=untrained, seed=seed), out, image)
