"""The Python that makes the picture on the page: written out, so that it can be copied, run and changed."""

from collections.abc import Sequence

from app.memory_panel import BANK, ONE_SLOT, READS

_HEATMAP = """\
figure = {kind}(
    {values},
    rows={rows},
    columns={columns},
    title={title!r},
    unit={unit!r},
{more})
figure.write_html("view.html")
"""


def story_source(model: str, sentences: Sequence[str]) -> str:
    """Python that records a story, as ``reader`` and ``trace``. The sentences stand in it as text."""
    told = "\n".join(f"    {sentence!r}," for sentence in sentences)
    return (
        "from lm2core.answers import ask, bank_after, read_story\n"
        "from lm2core.checkpoints import load_reader\n\n"
        f"reader = load_reader({model!r})\ntrace = read_story(reader, [\n{told}\n])\n"
    )


def file_source(file_name: str, story: int) -> str:
    """Python that opens one story of a trace file, as ``trace``."""
    return (
        "from lm2core.trace import Trace\nfrom lm2viz.opened import one_story\n\n"
        f"trace = one_story(Trace.load({file_name!r}), {story})\n"
    )


def view_code(source: str, *, view: str, step: int, block: int, slot: int, question: str | None) -> str:
    """Python that makes the first picture of a view from ``source``; without a picture, the source alone.

    view : as chosen in the memory panel
    question : what was asked, where the view shows what it read
    """
    if view == READS:
        picture = _reads(step, question) if question else ""
    elif view == ONE_SLOT:
        picture = _history(slot)
    elif step == 0:
        picture = ""
    else:
        picture = _change(step) if view == BANK else _writes(step, block)
    if not picture:
        return source
    kind = "signed_heatmap" if view == BANK else "fraction_heatmap"
    imports = f"from lm2viz import select\nfrom lm2viz.figures.heatmap import {kind}\n"
    return f"{imports}{source}\n{picture}"


def _writes(step: int, block: int) -> str:
    return f"strength = select.write_strength(trace, segment={step - 1}, block={block})\n" + _HEATMAP.format(
        kind="fraction_heatmap",
        values="strength",
        rows=f"select.words_of(trace, {step - 1})",
        columns="[str(slot) for slot in range(strength.shape[1])]",
        title=f"Who wrote where, block {block}",
        unit="share × input gate",
        more="",
    )


def _history(slot: int) -> str:
    return f"history = select.slot_history(trace, {slot})\n" + _HEATMAP.format(
        kind="fraction_heatmap",
        values="history",
        rows='[f"block {block}" for block in trace.blocks]',
        columns="[str(i + 1) for i in range(trace.n_segments)]",
        title=f"Input gate of slot {slot} at every sentence",
        unit="gate",
        more="    column_title='sentence',\n",
    )


def _change(step: int) -> str:
    return f"before, after, change = select.bank_move(trace, segment={step - 1})\n" + _HEATMAP.format(
        kind="signed_heatmap",
        values="change",
        rows="[str(slot) for slot in range(len(change))]",
        columns="[str(dim) for dim in range(change.shape[1])]",
        title="What the sentence changed: after minus before",
        unit="value",
        more="    limit=select.largest_size(before, after),\n",
    )


def _reads(step: int, question: str) -> str:
    return (
        f"answer = ask(reader, {question!r}, bank_after(trace, {step}, reader.model))\n"
        "print(answer.words[0], answer.probabilities[0])\n"
        "last = len(answer.trace.tokens[0][0]) - 1\n"
        "pattern, rows = select.read_by_head(answer.trace, token=last)\n"
    ) + _HEATMAP.format(
        kind="fraction_heatmap",
        values="pattern",
        rows="rows",
        columns="[str(slot) for slot in range(pattern.shape[1])]",
        title="Where the last word looked",
        unit="attention",
        more="",
    )
