"""``lm2 stories``: look at stories in open English, or write them as a file in the bAbI format."""

from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import typer

from lm2core.errors import UserError

if TYPE_CHECKING:
    from lm2core.babi.story import Story
    from lm2core.babi.text import TextStory


def stories(
    kind: Annotated[str, typer.Option(help="one-fact, two-facts, gifts, yes-no or counting.")] = "one-fact",
    share: Annotated[
        str, typer.Option(help="train, or test: the fifth of words and phrasings that is never trained on.")
    ] = "train",
    n: Annotated[int, typer.Option("--stories", min=1, help="Number of stories.")] = 1,
    sentences: Annotated[int, typer.Option(min=1, help="Sentences of a story.")] = 10,
    seed: Annotated[int, typer.Option(help="The same seed gives the same stories.")] = 0,
    book: Annotated[
        str | None,
        typer.Option(help="Text around the sentences: a file, a folder, a hub data set's id, or 'python'."),
    ] = None,
    book_sentences: Annotated[
        int | None, typer.Option(min=1, help="With --book: so many of its sentences in each story.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write them to this file in the bAbI format instead of printing them, and the facts known "
            "after each sentence to a .csv file beside it, for --labels."
        ),
    ] = None,
) -> None:
    """Make stories in open English: hundreds of names, places and things, in many phrasings."""
    from lm2core.babi.text import write_babi
    from lm2core.english.labels import facts_table
    from lm2core.english.lexicon import lexicon
    from lm2core.english.stories import make_stories
    from lm2core.files import write_atomically

    if (book is None) != (book_sentences is None):
        raise UserError("--book and --book-sentences belong together; give both, or neither")
    table = None if out is None else _table_beside(out)
    made = make_stories(kind, n, seed, lexicon(share), n_sentences=sentences)
    told: list[Story | TextStory] = [story.as_babi(prompted=out is None) for story in made]
    if book is not None and book_sentences is not None:
        from lm2core.babilong.background_text import open_noise
        from lm2core.english.in_book import in_book

        noise = open_noise(book, split=share)
        told = [in_book(s, noise, book_sentences, Random(seed + i)) for i, s in enumerate(told)]
    if out is None or table is None:
        typer.echo("\n\n".join(map(_as_text, told)))
        return
    write_babi(out, told)
    write_atomically(table, facts_table(made, told))
    typer.echo(f"{out}; the facts known after each sentence: {table}")


def _as_text(story: "Story | TextStory") -> str:
    """Its sentences by number, and below each what is asked there, with the answer and its support."""
    lines = []
    for i in range(len(story.sentences) + 1):
        if i:
            lines.append(f"{i:3} {story.sentences[i - 1]}")
        for question in story.questions:
            if question.n_statements == i:
                support = " ".join(str(s + 1) for s in question.support)
                lines.append(f"      {question.text} -> {question.answer} ({support})")
    return "\n".join(lines)


def _table_beside(out: Path) -> Path:
    """The file for the facts of the stories in ``out``; a UserError if one of the two cannot be written."""
    for file in (out, *([out.with_suffix(".csv")] if out.name else [])):
        if file.exists():
            raise UserError(f"{file} already exists; choose another file, or delete it first")
    if out.suffix == ".csv":
        raise UserError(f"{out} is for stories, and their facts need a .csv file; name a .txt file")
    return out.with_suffix(".csv")
