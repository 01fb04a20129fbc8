"""The labels of a user's held-out stories: which rows of a table are about them, under their new numbers."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from lm2core.errors import UserError

LABEL_COLUMNS = ("story", "segment", "fact", "value")  # as lm2viz.read_labels needs them


def held_out_labels(path: Path, n_stories: int, numbers: Sequence[int]) -> str:
    """The rows about some of the stories of a file, as a CSV text in which those stories count from 0.

    n_stories : of the file
    numbers : the stories wanted, ascending

    Raises
    ------
    UserError
        When the table cannot be read, lacks a column, or names a story that the file does not have.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, csv.Error) as error:
        raise UserError(f"cannot read labels {path}: {error}; give a CSV file") from None
    missing = [name for name in LABEL_COLUMNS if not rows or name not in rows[0]]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; it needs: {', '.join(LABEL_COLUMNS)}")
    new_number = {number: i for i, number in enumerate(numbers)}
    text = io.StringIO()
    writer = csv.DictWriter(text, LABEL_COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for line, row in enumerate(rows, start=2):
        story = row["story"].strip() if row["story"] else ""
        if not story.isdecimal() or int(story) >= n_stories:
            raise UserError(
                f"{path}, line {line}: story {story!r}; the stories of the file are 0 to {n_stories - 1}"
            )
        if int(story) in new_number:
            writer.writerow(row | {"story": new_number[int(story)]})
    return text.getvalue()
