"""``lm2 stats``: gates and banks over many stories, a map of slots, and what a question reads."""

from collections.abc import Sequence
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
    slot_numbers,
    write_result,
)

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel
    from lm2core.traces.trace import Trace
    from lm2viz.sample.story_sample import StorySample
    from lm2viz.stats import ReadComparison


def stats_command(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    slots: Annotated[
        str | None, typer.Option(help="Also draw a map (PCA) of these slots, e.g. 3,7, coloured by --fact.")
    ] = None,
    fact: Annotated[
        str | None, typer.Option(help="Fact that colours the map; default: the slot of each point.")
    ] = None,
    labels: Labels = None,
    ask: Annotated[
        str | None,
        typer.Option(
            help='Also compare what this question, e.g. "Where is Mary?", reads after the first sentence and '
            "at the end of the shortest story, in each block with memory; needs a checkpoint."
        ),
    ] = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """Measure gates, half-lives of slots and use of the bank; control: an untrained model."""
    label_table = labels_of(labels)
    shown = _on_map(slots, fact)
    prepare(out, image)
    from lm2viz.sample.rows import bank_rows
    from lm2viz.stats import bank_stats, gate_stats, map_slots

    names = ("mem.hook_gate_in", "mem.hook_gate_forget", "hook_bank")
    sample, lm = open_sample(source, task, stories, seed, label_table)
    traces, of_control = read_both(sample, lm, names)
    reads = {} if ask is None else _reads(sample, lm, (traces, of_control), ask)
    rows = bank_rows(traces, label_table)
    control = None if of_control is None else bank_rows(of_control, label_table)
    write_result("gates", gate_stats(traces, untrained=of_control, seed=seed), out, image)
    write_result("bank", bank_stats(rows, untrained=control, seed=seed), out, image)
    if shown is not None:
        drawn = map_slots(rows, fact or "slot", slots=shown, untrained=control, seed=seed)
        write_result("map", drawn, out, image)
    for block, result in reads.items():
        write_result(f"reads-{block}", result, out, image)


def _on_map(slots: str | None, fact: str | None) -> tuple[int, ...] | None:
    """The slots of a map, where one is asked for; a UserError where its points would be of one colour."""
    if slots is None:
        if fact is not None:
            raise UserError(f'--fact "{fact}" colours a map of slots; choose the slots with --slots')
        return None
    shown = slot_numbers("--slots", slots)
    if len(shown) == 1 and fact in (None, "slot"):
        raise UserError(
            f'--slots {slots} is one slot, so all points have one colour; give --fact, e.g. "place of Mary"'
        )
    return shown


def _reads(
    sample: "StorySample",
    lm: "LoadedModel | None",
    both: "tuple[Sequence[Trace], Sequence[Trace] | None]",
    question: str,
) -> "dict[int, ReadComparison]":
    """How far the question's read moves, in each block with memory; a UserError for traces from files."""
    from lm2core.reading.given_words import typed_question
    from lm2viz.stats import ReadSpec, compare_reads, join_questions, replace_questions

    if lm is None:
        raise UserError("--ask needs a model to ask; give a checkpoint instead of traces")
    end = min(len(story.sentences) for story in sample.stories)
    if end < 2:
        raise UserError("--ask needs stories of two sentences or more; choose another --task or --seed")

    def asked(each: "LoadedModel", traces: "Sequence[Trace]") -> "Trace":
        with_question = [
            replace_questions(trace, typed_question(each, question), (1, end)) for trace in traces
        ]
        return join_questions(sample.questions(each, with_question), traces)

    trained, control = (
        asked(each, traces or ()) for each, traces in zip(sample.model_and_control(lm), both, strict=True)
    )
    return {
        block: compare_reads(trained, ReadSpec(1, end, block), untrained=control, seed=sample.seed)
        for block in trained.blocks
    }
