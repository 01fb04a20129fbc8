"""``lm2 slots``: what writes to and reads each slot most, and the fact that explains it best."""

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
    rows_of,
    write_result,
)


def slots_command(
    source: Source,
    task: Task = "qa1",
    stories: Stories = 200,
    seed: Seed = 0,
    labels: Labels = None,
    out: Out = None,
    image: Image = None,
) -> None:
    """Show what writes to and reads each slot most, and which fact explains it on held-out stories."""
    label_table = labels_of(labels)
    prepare(out, image)
    from lm2core.reading.story_traces import record_questions
    from lm2viz.slots import explain_slots, top_contexts

    names = ("mem.hook_write_pattern", "mem.hook_gate_in_token", "hook_bank")
    sample = open_sample(source, task, stories, seed, names=names, with_untrained=False)
    question_trace = (
        [] if sample.lm is None else [record_questions(sample.lm, trace) for trace in sample.traces]
    )
    rows, _ = rows_of(sample, label_table)
    write_result("contexts", top_contexts(sample.traces, question_trace, seed=seed), out, image)
    write_result("explanations", explain_slots(rows, seed=seed), out, image)
