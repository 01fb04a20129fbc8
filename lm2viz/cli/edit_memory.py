"""``lm2 edit-memory``: make a bank say another value of a fact, and measure what else that changes."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError
from lm2viz.cli.shared import Checkpoint, Image, Seed, Stories, Task, prepare, slot_numbers, write_result

if TYPE_CHECKING:
    from torch import Tensor

    from lm2core.reading.loaded_model import LoadedModel
    from lm2viz.causal.memory_edits import MemoryEdit


def edit_memory(
    checkpoint: Checkpoint,
    fact: Annotated[str, typer.Option(help='The fact to change, e.g. "place of Mary".')],
    value: Annotated[
        str | None, typer.Option(help="With --story: what the bank must say, e.g. garden.")
    ] = None,
    story: Annotated[
        Path | None,
        typer.Option(
            help="Text file, one sentence per line, whose bank is edited; - is standard input. Without it, "
            "edits are only measured.",
            metavar="FILE",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(help="transplant, direction or subspace; by default transplant with --story, else all."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="With --story: save the edited bank, for 'lm2 ask --memory FILE'.", metavar="FILE"),
    ] = None,
    slots: Annotated[
        str | None, typer.Option(help="Slots to edit, e.g. 13,17; by default the one with most interchange.")
    ] = None,
    task: Task = "qa1",
    stories: Stories = 200,
    dims: Annotated[int, typer.Option(help="Dimensions of the subspace, 1 to 32.")] = 8,
    seed: Seed = 0,
    report: Annotated[
        Path | None, typer.Option(help="Folder for the plot (HTML, opens offline) and the table (CSV).")
    ] = None,
    image: Image = None,
) -> None:
    """Change a fact in a bank that never read it, save the bank, and count the side effects.

    The edit is made from every other story of the task and measured on the rest, at once and after later
    sentences, beside reading the sentence that states the new value.
    """
    if story is None and (value is not None or out is not None):
        raise UserError("--value and --out are about one story; give it with --story FILE")
    if story is not None and value is None:
        raise UserError(f"what must the bank say of the {fact}? Give --value, such as garden")
    chosen = None if slots is None else slot_numbers("--slots", slots)
    prepare(report, image, "--report")
    from lm2core.babi.text import read_sentences
    from lm2core.reading.checkpoints import load
    from lm2viz.causal.edit_effects import compare_edits
    from lm2viz.causal.memory_edits import METHODS, TRANSPLANT
    from lm2viz.sample.story_sample import StorySample

    methods = (method,) if method else METHODS if story is None else (TRANSPLANT,)
    sentences = None if story is None else read_sentences(story)
    sample, lm = StorySample(task, stories, seed), load(checkpoint)
    edits, effects = compare_edits(lm, sample.stories, fact, methods, slots=chosen, n_dims=dims, seed=seed)
    if sentences is not None and value is not None:
        _edit(lm, edits[0], sentences, value, out)
    write_result("edit-memory", effects, report, image)


def _edit(
    lm: "LoadedModel", edit: "MemoryEdit", sentences: tuple[str, ...], value: str, out: Path | None
) -> None:
    """Edit the bank of a story, say what became of every fact, and save it."""
    from lm2core.reading.answers import memory_after
    from lm2core.reading.saved_bank import save_bank
    from lm2viz.causal.edit_cases import state_place

    bank = memory_after(lm, sentences)
    edited = edit.apply(bank, [value])
    stated = memory_after(lm, [state_place(edit.fact, value)], bank)
    typer.echo("\n".join(_answers(lm, sentences, edit.fact, (bank, edited, stated))))
    if out is not None:
        about = {"fact": edit.fact, "value": value, "method": edit.method, "slots": list(edit.slots)}
        save_bank(lm, edited, out, info={**about, "sentences": list(sentences)})
        typer.echo(f"written: {out}; ask it with: lm2 ask {lm.name} --memory {out} --question ...")
    typer.echo("")


def _answers(
    lm: "LoadedModel", sentences: tuple[str, ...], edited_fact: str, banks: tuple["Tensor", ...]
) -> list[str]:
    """A line for each fact of the story that can be asked about, and the edited one."""
    from lm2core import ask_many
    from lm2core.babi.fact_questions import question_about
    from lm2core.babi.known_facts import parse_facts

    known = parse_facts(sentences)
    facts = dict.fromkeys([edited_fact, *(known[-1] if known else ())])
    questions = {name: text for name in facts if (text := question_about(name))}
    texts = list(questions.values())
    words = [ask_many(lm, texts, bank) for bank in banks]
    lines = ["fact: before -> after the edit (when the sentence is read instead)"]
    for name, before, after, read in zip(questions, *words, strict=True):
        lines.append(f"  {name}: {before[0]} -> {after[0]} ({read[0]})")
    return lines
