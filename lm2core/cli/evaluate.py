"""``lm2 eval``: chooses one of four forms; here bAbI files, the others have files of their own."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from lm2core.cli.english import on_english
from lm2core.cli.harness import on_harness
from lm2core.cli.long_texts import on_long_texts
from lm2core.cli.tables import Rows, open_model, score_columns, show
from lm2core.errors import UserError

FORMS = "give --babi FILE..., --english one-fact, --tasks qa1,qa2 with --lengths 0k,4k, or --harness mmlu"


def evaluate(
    checkpoint: Annotated[
        str, typer.Argument(help="Shipped model (see 'lm2 models'), folder, or Hugging Face id.")
    ],
    babi: Annotated[
        list[Path] | None, typer.Option(help="Files in the bAbI format.", metavar="PATH...")
    ] = None,
    more: Annotated[list[Path] | None, typer.Argument(hidden=True)] = None,  # the paths after the first
    english: Annotated[
        str | None,
        typer.Option(
            help="Stories in open English, in words and phrasings that are never trained on: kinds, "
            "comma-separated: one-fact,yes-no (see 'lm2 stories')."
        ),
    ] = None,
    sentences: Annotated[
        str | None, typer.Option(help="English stories: comma-separated numbers of sentences; by default 10.")
    ] = None,
    questions: Annotated[
        int | None,
        typer.Option(min=1, help="English stories: questions per kind and length; by default 100."),
    ] = None,
    english_seed: Annotated[
        int | None, typer.Option(min=0, help="English stories: their seed; by default 0.")
    ] = None,
    tasks: Annotated[str | None, typer.Option(help="Long texts: tasks, comma-separated: qa1,qa2.")] = None,
    lengths: Annotated[
        str | None, typer.Option(help="Long texts: comma-separated tokens: 0k (facts alone), 4k, 128k, 1M.")
    ] = None,
    samples: Annotated[
        int | None, typer.Option(min=1, help="Questions per task and length; by default 100.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the texts; by default 0.")] = None,
    noise: Annotated[
        str | None,
        typer.Option(
            help="Background text: a file, a folder, the id of a hub data set, or (default) 'python' for "
            "Python's own documentation. Its test share is used."
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            help="Use a published data set: a hub id, e.g. RMT-team/babilong, or a folder with "
            "LENGTH/TASK.json."
        ),
    ] = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(help="Tokenizer that counts lengths, folder or Hugging Face id; default: the model's."),
    ] = None,
    segments: Annotated[
        str | None,
        typer.Option(help="sentences (default), or tokens: equal lengths, as for language models."),
    ] = None,
    question_first: Annotated[
        bool | None, typer.Option("--question-first", help="Also read the question before the text.")
    ] = None,
    harness: Annotated[
        str | None,
        typer.Option(
            help="Tasks of lm-evaluation-harness, e.g. mmlu,babilong_qa1; needs: pip install '.\\[harness]'."
        ),
    ] = None,
    harness_tasks_folder: Annotated[
        Path | None, typer.Option(help="Folder with your own task files (YAML) for --harness.")
    ] = None,
    harness_limit: Annotated[
        int | None, typer.Option(min=1, help="Use only so many documents of each task, for a trial.")
    ] = None,
    harness_shots: Annotated[
        int | None, typer.Option(min=0, help="Worked examples before a question; by default the task's.")
    ] = None,
    harness_length: Annotated[
        str | None, typer.Option(help="Length of the harness's BABILong tasks: 0k (default) to 1M.")
    ] = None,
    json_out: Annotated[Path | None, typer.Option("--json", help="Also write the results there.")] = None,
) -> None:
    """Measure accuracy on bAbI files, or with --tasks and --lengths on long texts that hide the facts.

    Exact match, with a 95 % interval and floors that need no model.
    """
    if more and not babi:
        raise UserError(f"unexpected {more[0]}: paths follow --babi, tasks are separated by commas; {FORMS}")
    form = _form(
        Form(
            _on_harness,
            needs=("harness",),
            options={
                "harness": harness,
                "harness_tasks_folder": harness_tasks_folder,
                "harness_limit": harness_limit,
                "harness_shots": harness_shots,
                "harness_length": harness_length,
            },
        ),
        Form(
            on_english,
            needs=("english",),
            options={
                "english": english,
                "sentences": sentences,
                "questions": questions,
                "english_seed": english_seed,
            },
        ),
        Form(_on_babi_files, needs=("babi",), options={"babi": [*(babi or []), *(more or [])]}),
        Form(
            on_long_texts,
            needs=("tasks", "lengths"),
            options={
                "tasks": tasks,
                "lengths": lengths,
                "samples": samples,
                "seed": seed,
                "noise": noise,
                "data": data,
                "tokenizer": tokenizer,
                "segments": segments,
                "question_first": question_first,
            },
        ),
    )
    if json_out is not None:
        _check_place(json_out)
    rows = form.run(checkpoint, form.given)
    if json_out is not None:
        from lm2core.files import write_atomically

        write_atomically(json_out, json.dumps(rows, indent=2) + "\n")


@dataclass(frozen=True)
class Form:
    """One thing to evaluate on: what runs it, and its options, None where they are not given.

    needs : the options without which it is not asked for
    """

    run: Callable[[str, dict[str, Any]], Rows]
    needs: tuple[str, ...]
    options: dict[str, Any]

    @property
    def given(self) -> dict[str, Any]:
        """The options that were typed."""
        return {name: value for name, value in self.options.items() if value not in (None, [])}

    def flags(self) -> str:
        """The options that were typed, as they are typed."""
        return ", ".join(f"--{name.replace('_', '-')}" for name in self.given)


def _form(*forms: Form) -> Form:
    """The one form that was asked for; UserError when there is none, half of one, or more than one."""
    asked = [form for form in forms if form.given]
    if not asked:
        raise UserError(f"nothing to evaluate on; {FORMS}")
    if len(asked) > 1:
        raise UserError(f"{' cannot be combined with '.join(form.flags() for form in asked)}; {FORMS}")
    missing = [f"--{name}" for name in asked[0].needs if name not in asked[0].given]
    if missing:
        raise UserError(f"{asked[0].flags()} needs {' and '.join(missing)}; {FORMS}")
    return asked[0]


def _on_harness(checkpoint: str, given: dict[str, Any]) -> Rows:
    """A row for each task of the harness and metric."""
    return on_harness(
        checkpoint,
        given["harness"],
        include_path=given.get("harness_tasks_folder"),
        limit=given.get("harness_limit"),
        n_shot=given.get("harness_shots"),
        length=given.get("harness_length"),
    )


def _check_place(file: Path) -> None:
    """Refuse a file that cannot be written, before the work: a UserError."""
    if file.is_dir():
        raise UserError(f"cannot write {file}: it is a folder; name a file")
    if not file.parent.is_dir():
        raise UserError(f"cannot write {file}: there is no folder {file.parent}; make it first")
    if not os.access(file.parent, os.W_OK | os.X_OK):
        raise UserError(f"cannot write {file}: {file.parent} is not writable; choose another folder")


def _on_babi_files(checkpoint: str, given: dict[str, Any]) -> Rows:
    """A row for each file."""
    from lm2core.babi.text import read_babi
    from lm2core.evaluation.stories import predict, score

    # A broken file fails before the model loads.
    files = [(path, read_babi(path)) for path in given["babi"]]
    lm = open_model(checkpoint)
    rows = []
    for path, stories in files:
        result = score(stories, predict(lm, stories))
        rows.append({"task": path.stem.split("_")[0], "file": str(path)} | score_columns(lm, result))
    show(rows)
    return rows
