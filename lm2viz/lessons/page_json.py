"""Lessons with their measurements as JSON, for the page that lessons.js draws."""

import json
from math import isnan
from typing import TYPE_CHECKING

from lm2core.babi.known_facts import known_place, parse_facts
from lm2core.errors import UserError
from lm2viz.causal import to_json
from lm2viz.estimates import Estimate
from lm2viz.lessons import LESSONS
from lm2viz.lessons.charts import Chart
from lm2viz.lessons.lesson import Lesson, Measured, lesson_sample
from lm2viz.lessons.live import Live
from lm2viz.progress import track
from lm2viz.stage.slot_probes import Json

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel


def lessons_json(lm: "LoadedModel") -> list[Json]:
    """Every lesson, measured now on ``lm``; without those that it cannot take, such as for want of words.

    Of each: title, text, question, choices and the index of the right one; ``value`` and ``control`` as
    ``of``, ``value``, ``low``, ``high`` and ``n``, in [0, 1] if ``is_share``; ``chart``, what to remember,
    and ``live``: a story with its question, the right answer after each number of sentences from 0, step,
    slot, edits, and what to look at. Numbers have four digits.
    """
    measured = []
    for lesson in track(LESSONS, "measuring the lessons", "lesson"):
        try:
            measured.append(lesson_json(lesson, lesson.measure(lm)))
        except UserError:  # unknown words, or a measured value that no choice holds
            continue
    return measured


def lesson_json(lesson: Lesson, measured: Measured) -> Json:
    """One lesson with its measurement."""
    return {
        "title": lesson.title,
        "text": lesson.text,
        "question": lesson.question,
        "choices": [choice.text for choice in lesson.choices],
        "right": lesson.choices.index(lesson.right(measured)),
        "is_share": measured.is_share,
        "value": {"of": measured.of, **_estimate_json(measured.value)},
        "control": {"of": measured.of_control, **_estimate_json(measured.control)},
        "chart": _chart_json(measured.chart),
        "caption": measured.caption,
        "moral": lesson.moral,
        "source": measured.source,
        "live": _live_json(measured.live),
    }


def _estimate_json(estimate: Estimate) -> Json:
    bounds = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    return {name: _number(value) for name, value in bounds.items()} | {"n": estimate.n}


def _chart_json(chart: Chart) -> Json:
    return {
        "names": list(chart.names),
        "groups": [[name, [_number(value) for value in values]] for name, values in chart.groups.items()],
        "title": chart.title,
    }


def _live_json(live: Live | None) -> Json | None:
    if live is None or live.story is None:
        return None
    sentences = lesson_sample().stories[live.story].sentences
    return {
        "text": live.text,
        "sentences": list(sentences),
        "right": [known_place(live.question, facts) for facts in [{}, *(parse_facts(sentences) or [])]],
        "question": live.question,
        "step": live.step,
        "slot": live.slot,
        "edits": json.loads(to_json(live.edits)),
    }


def _number(value: float) -> float | None:
    return None if isnan(value) else round(float(value), 4)
