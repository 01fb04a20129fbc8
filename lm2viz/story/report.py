"""One HTML page of a trace that opens offline: the pictures of the app, one below the other.

Needs no model, by design: what needs one, such as an intervention, has its own command.
"""

from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path

import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.files import atomic_path, write_atomically
from lm2core.traces.trace import Trace
from lm2viz.provenance.traces import WRITE_HOOKS
from lm2viz.stage.page import check_length, stage_html
from lm2viz.stage.payload import trace_payload
from lm2viz.story import pictures
from lm2viz.story.pictures import Picture

MAX_SENTENCES = 60  # pictures of longer stories are unreadable, so only the last sentences are shown
GATES, BANKS = ("hook_gate_in", "hook_gate_forget"), ("hook_bank_pre", "hook_bank_post")
STYLE = (
    "body{font-family:system-ui,sans-serif;max-width:1000px;margin:2rem auto;padding:0 1rem;color:#222}"
    "figure{margin:2rem 0}figcaption{color:#555;white-space:pre-line}"
)


def report_pictures(trace: Trace, *, story: int = 0) -> dict[str, Picture]:
    """Every picture of one story that the trace has the hooks for, by file name.

    Raises
    ------
    UserError
        When the story is not in the trace, or the trace has no hooks of the memory to show, or not all of
        what they recorded.
    """
    trace.check_is_whole(*trace.arrays)
    if not 0 <= story < len(trace.tokens):
        raise UserError(f"no story {story} in the trace; it has 0 to {len(trace.tokens) - 1}")
    n_read = len(trace.tokens[story])
    last, shown = n_read - 1, range(max(0, n_read - MAX_SENTENCES), n_read)
    pictures_by_name: dict[str, Picture] = {}
    if _has(trace, *GATES):
        pictures_by_name |= pictures.gates_over_story(trace, shown, story=story)
    if _has(trace, *BANKS):
        pictures_by_name["moved"] = pictures.slot_changes_over_story(trace, shown, story=story)
    if _has(trace, *WRITE_HOOKS) and "hook_bank" in trace.arrays and n_read <= MAX_SENTENCES:
        pictures_by_name["origins"] = pictures.origins(trace, last, story=story)
    if _has(trace, "hook_write_pattern", "hook_gate_in_token"):
        for block in trace.blocks:
            pictures_by_name[f"writes-block-{block}"] = pictures.writes(trace, last, block, story=story)
    if _has(trace, *GATES, *BANKS):
        pictures_by_name["gates"] = pictures.gates(trace, last, story=story)
    if _has(trace, "hook_read_pattern"):
        pictures_by_name["reads"] = pictures.reads_of_last_word(trace, story=story, segment=last)
        for block in trace.blocks:
            pictures_by_name[f"reads-block-{block}"] = pictures.reads_of_words(
                trace, block, story=story, segment=last
            )
    if _has(trace, *BANKS):
        of_bank = pictures.bank(trace, last, story=story)
        pictures_by_name |= {f"bank-{name}": picture for name, picture in of_bank.items()}
    elif "hook_bank" in trace.arrays:
        pictures_by_name["bank-after"] = pictures.bank_alone(trace, last, story=story)
    if not pictures_by_name:
        raise UserError(
            "the trace has no memory hooks to show; record them with: lm2 trace CHECKPOINT --story FILE "
            "--out run.safetensors --hooks 'mem.*,hook_bank'"
        )
    return pictures_by_name


def write_report(path: str | Path, trace: Trace, *, story: int = 0) -> dict[str, Picture]:
    """Write the page of one story atomically; returns its pictures by name.

    Raises
    ------
    UserError
        As ``report_pictures``.
    """
    pictures_by_name = report_pictures(trace, story=story)
    lines = [" ".join(words) for words in trace.tokens[story]]
    text = f"{_stage(trace, story)}<ol>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</ol>"
    text += "<p>Pictures of a single sentence show the last one.</p>"
    write_page(path, f"Memory of {trace.info.get('model', 'an LM2')}", text, pictures_by_name)
    return pictures_by_name


def _stage(trace: Trace, story: int) -> str:
    """The story on the stage, step by step; nothing where the trace or the screen does not suffice."""
    try:
        check_length(trace.tokens[story])
        return stage_html(trace_payload(trace, story=story))
    except UserError:
        return ""


def write_page(path: str | Path, title: str, text: str, pictures_by_name: Mapping[str, Picture]) -> None:
    """Write an HTML page with plotly embedded. ``text`` is HTML; everything else is escaped."""
    figures = [
        f'<figure id="{escape(name)}" aria-label="{escape(picture.alt)}">'
        f"{picture.figure.to_html(full_html=False, include_plotlyjs=i == 0)}"
        f"<figcaption>{escape(picture.caption)}</figcaption></figure>"
        for i, (name, picture) in enumerate(pictures_by_name.items())
    ]
    write_atomically(
        path,
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{escape(title)}</h1>{text}{''.join(figures)}</body></html>",
    )


def write_image(figure: go.Figure, path: Path) -> None:
    """Write the figure as an image, atomically, in the format of the suffix.

    Raises
    ------
    UserError
        When kaleido or Chromium is missing, saying how to install them.
    """
    with atomic_path(path) as temporary:
        try:
            figure.write_image(temporary)
        except (ValueError, RuntimeError) as error:  # plotly's own message is many lines
            if isinstance(error, ValueError) and find_spec("kaleido"):  # then it is about the figure
                raise
            raise UserError(
                "images need kaleido and Chromium; run pip install -e '.[images]' and install chromium"
            ) from None


def _has(trace: Trace, *hooks: str) -> bool:
    return bool(trace.blocks) and all(
        f"blocks.{block}.mem.{hook}" in trace.arrays for block in trace.blocks for hook in hooks
    )
