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
    from lm2viz.sample.rows import bank_rows
    from lm2viz.slots import explain_slots, top_contexts
    from lm2viz.slots.strengths import READ_HOOKS, WRITE_HOOKS

    sample, lm = open_sample(source, task, stories, seed, label_table)
    traces = sample.read(lm, (*WRITE_HOOKS, "hook_bank"))
    question_traces = [] if lm is None else sample.questions(lm, traces, READ_HOOKS)
    rows = bank_rows(traces, label_table)
    write_result("contexts", top_contexts(traces, question_traces, seed=seed), out, image)
    write_result("explanations", explain_slots(rows, seed=seed), out, image)
