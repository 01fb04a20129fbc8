"""``lm2 explore``: what writes and reads each slot most, and the fact that explains it best."""

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
    put_down,
    rows_of,
)


def explore(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    labels: Labels = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """What writes and reads each slot most, and which fact explains it, scored on other stories."""
    own = labels_of(labels)
    prepare(out, image)
    from lm2core.reading.story_traces import record_questions
    from lm2viz.slots import explain_slots, top_contexts

    names = ("mem.hook_write_pattern", "mem.hook_gate_in_token", "hook_bank")
    sample = open_sample(source, task, stories, seed, names=names, with_untrained=False)
    asked = (
        [] if sample.reader is None else [record_questions(sample.reader, trace) for trace in sample.traces]
    )
    rows, _ = rows_of(sample, own)
    put_down("contexts", top_contexts(sample.traces, asked, seed=seed), out, image)
    put_down("explanations", explain_slots(rows, seed=seed), out, image)
