"""``lm2 causal-map``: which slots carry the difference between two stories that differ in one fact."""

from typing import Annotated

import typer

from lm2core.babi.counterfactual import KINDS_OF, draw_counterfactuals, sentences_of
from lm2viz.cli.shared import Checkpoint, Image, Out, Seed, prepare, write_result


def causal_map(
    checkpoint: Checkpoint,
    task: Annotated[str, typer.Option(help=f"Task of the stories, one of: {', '.join(KINDS_OF)}.")] = "qa1",
    kind: Annotated[str, typer.Option(help="What differs: place, person, order or support.")] = "place",
    pairs: Annotated[int, typer.Option(min=2, help="Number of pairs of stories.")] = 30,
    sentences: Annotated[
        int | None,
        typer.Option(min=2, help="Sentences per story; by default 8, or all that the task has (qa4: 2)."),
    ] = None,
    seed: Seed = 0,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts", help="Also patch parts of the write and the read: gates, candidates, routing."
        ),
    ] = False,
    out: Out = None,
    image: Image = None,
) -> None:
    """Patch slots between stories that differ in one fact; control: pairs with the same answer."""
    prepare(out, image)
    from lm2core.reading.checkpoints import load
    from lm2viz import causal

    lm, n_sentences = load(checkpoint), sentences or sentences_of(task)
    of_kind, placebos = (
        draw_counterfactuals(task, name, pairs, seed, n_sentences=n_sentences) for name in (kind, "placebo")
    )
    write_result("causal-map", causal.causal_map(lm, of_kind, placebos, seed=seed), out, image)
    if parts:
        write_result("causal-map-parts", causal.causal_parts(lm, of_kind, placebos, seed=seed), out, image)
