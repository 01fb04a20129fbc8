"""Lessons of the app's model, measured once: a page that is made need not wait for them.

``python -m lm2viz.lessons.shipped`` measures them again; a test compares.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from lm2core.files import write_atomically
from lm2core.traces.fingerprint import fingerprint
from lm2viz.lessons.lesson import MODEL
from lm2viz.lessons.page_json import lessons_json
from lm2viz.stage.slot_probes import Json

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel

FOLDER = Path(__file__).parent / "measured"


def measured_lessons(lm: "LoadedModel") -> list[Json]:
    """As ``lessons_json``: the shipped measurements of these weights, else made now, in half a minute."""
    path = FOLDER / f"{lm.name}.json"
    if path.is_file():
        shipped = json.loads(path.read_text())
        if shipped["weights"] == fingerprint(lm.model):
            return list(shipped["lessons"])
    return lessons_json(lm)


def main() -> None:
    """Measure the lessons of the app's model."""
    from lm2core.reading.checkpoints import load

    lm = load(MODEL)
    measured = {"weights": fingerprint(lm.model), "lessons": lessons_json(lm)}
    write_atomically(FOLDER / f"{MODEL}.json", json.dumps(measured, indent=1) + "\n")


if __name__ == "__main__":
    main()
