"""``lm2 interchange``: what answers become when slots of another story's bank are put in."""

from typing import Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import (
    Checkpoint,
    Image,
    Out,
    Seed,
    Stories,
    Task,
    prepare,
    slot_numbers,
    write_result,
)


def interchange_command(
    checkpoint: Checkpoint,
    fact: Annotated[str, typer.Option(help='The fact that must change, e.g. "place of Mary".')],
    slots: Annotated[
        str | None,
        typer.Option(
            help="Slots to exchange, e.g. 3,7, or 'all'; by default the best one, chosen on other stories."
        ),
    ] = None,
    task: Task = "qa1",
    stories: Stories = 200,
    search: Annotated[
        bool,
        typer.Option(
            "--search", help="Search for the smallest set of slots, up to 8, that carries the fact."
        ),
    ] = False,
    subspace: Annotated[
        int | None,
        typer.Option(
            help="Search for so many dimensions (1 to 32) of the slots that carry the fact, by distributed "
            "alignment search; exchange, steer and erase them.",
            metavar="DIMENSIONS",
        ),
    ] = None,
    donors: Annotated[int, typer.Option(min=1, help="Donor stories for each story.")] = 5,
    seed: Seed = 0,
    out: Out = None,
    image: Image = None,
) -> None:
    """Exchange slots between stories: does the fact go with them, and all else stay? Controls beside it."""
    if search and slots is not None:
        raise UserError("--search finds the slots itself; give it without --slots")
    if search and subspace is not None:
        raise UserError("--search and --subspace are two searches; give one")
    chosen = None if slots in (None, "all") else slot_numbers("--slots", str(slots))
    prepare(out, image)
    from lm2core.reading.checkpoints import load
    from lm2viz.causal import interchange, search_slots, search_subspace
    from lm2viz.sample.story_sample import StorySample

    sample = StorySample(task, stories, seed)
    lm = load(checkpoint)
    if slots == "all":
        chosen = tuple(range(lm.model.config.memory_slots))
    if subspace is not None:
        found = search_subspace(lm, sample.stories, fact, chosen, n_dims=subspace, seed=seed)
        write_result("subspace", found, out, image)
        return
    if search:
        write_result("slot-sets", search_slots(lm, sample.stories, fact, seed=seed), out, image)
        return
    result = interchange(lm, sample.stories, fact, chosen, n_donors=donors, seed=seed)
    write_result("interchange", result, out, image)
