"""Visitors, runs that are long over, and what a visitor does on the Train page."""

import hashlib
import json
from dataclasses import replace

from app.loaders import runs as run_records
from app.loaders.runs import Run
from app.loaders.visitor import Visitor

KEY = "k" * 32  # of the cookie of this browser
ME, OPERATOR = Visitor(hashlib.sha256(KEY.encode()).hexdigest()), Visitor("", is_operator=True)


def kept_run(runs, name="old", **changes):
    """A run whose process is long gone."""
    run = replace(Run(name, ("qa1",), 600, 0, pid=2**22 - 1, born=1.0, owner=ME.owner), **changes)
    run.folder.mkdir(parents=True)
    run_records.write_record(run)
    (runs / f"{name}.log").write_text("")
    return run


def log_metrics(run, *lines):
    (run.folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def messages(page):
    return " ".join(m.value.replace("\\", "") for m in (*page.error, *page.info))


def press(page, label):
    next(b for b in page.button if b.label == label).click().run()
    assert not page.exception
    return page
