"""A stage as one HTML file: opened from disk it needs no server, no installation and no network."""

import json
from collections.abc import Mapping, Sequence
from html import escape

from lm2core.babi.known_facts import parse_facts
from lm2core.english.names import people_named
from lm2core.errors import UserError
from lm2viz.stage.modules import style, with_imports
from lm2viz.stage.slot_probes import Json

MAX_SENTENCES = 60  # of a story on the stage
MAX_QUESTIONS = 12  # each is asked after every sentence
PLACES = {"#tour=1": "Guided tour", "#step=0": "The story, step by step"}
LESSONS = {"#lesson=1": "Lessons: predict, then see"}
STYLE = (
    "body{margin:0;font-family:system-ui,sans-serif;background:light-dark(#fff,#15181c);"
    "color:light-dark(#1c2024,#e8eaed)}:root{color-scheme:light dark}"
    "main{max-width:1320px;margin:0 auto;padding:.75rem 1rem}h1{font-size:1.35rem;margin:.2rem 0}"
    "nav{margin:.4rem 0}a{color:light-dark(#1b6391,#7cc0e8)}p{margin:.3rem 0 .6rem}"
)


def stage_page(
    title: str,
    about: str,
    payload: Json,
    *,
    engine: Json | None = None,
    lessons: Sequence[Json] = (),
) -> str:
    """An HTML page with one stage.

    engine : the model and its probes; None: the payload alone
    lessons : as ``lessons_json`` gives them
    """
    links = [f'<a href="{to}">{name}</a>' for to, name in (PLACES | (LESSONS if lessons else {})).items()]
    nav = " \u00b7 ".join(links)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style></head>\n<body><main>"
        f"<h1>{escape(title)}</h1><p>{escape(about)}</p><nav>{nav}</nav>"
        f"{stage_html(payload, engine, lessons)}</main></body>"
        "</html>\n"
    )


def stage_html(payload: Json, engine: Json | None = None, lessons: Sequence[Json] = ()) -> str:
    """A stage as a part of a page, with its style, data and scripts; one on each page."""
    return (
        f"<style>{style()}</style>\n"
        '<div id="stage" style="--stage-around:21em"></div>'
        "<noscript>This picture is drawn by JavaScript, which is switched off here. Switch it on for this "
        "page, or see the same numbers with lm2 trace and lm2 report.</noscript>\n"
        f'<script type="application/json" id="payload">{_in_script(payload)}</script>\n'
        f'<script type="application/json" id="engine">{_in_script(engine)}</script>\n'
        f'<script type="application/json" id="lessons">{_in_script(lessons)}</script>\n'
        f'<script type="module">{with_imports("page")}</script>\n'
    )


def check_length(sentences: Sequence[object]) -> None:
    """Refuse stories that do not fit a stage."""
    if len(sentences) > MAX_SENTENCES:
        raise UserError(
            f"the story has {len(sentences)} sentences; a stage shows at most {MAX_SENTENCES}. Shorten it, "
            "or record it with: lm2 trace MODEL --story FILE --out run.safetensors"
        )


def probes_for(probes: Mapping[str, Sequence[Json]], sentences: Sequence[str]) -> Sequence[Json]:
    """Probes of people alone, unless the story speaks of a thing; as engine.js chooses them."""
    words = {word.strip(".,?!").lower() for sentence in sentences for word in sentence.split()}
    holder = "holder of "
    things = [
        probe["fact"].removeprefix(holder)
        for probe in probes.get("qa2", ())
        if probe["fact"].startswith(holder)
    ]
    return probes.get("qa2" if words & {thing.lower() for thing in things} else "qa1", ())


def suggested_questions(sentences: Sequence[str]) -> list[str]:
    """Where each person and thing is whose place the story tells at some time, in order of first mention.

    Of a story in other words than bAbI's: where everybody is who is named.
    """
    place = "place of "
    known = parse_facts(sentences) or []
    names = dict.fromkeys(
        fact.removeprefix(place) for facts in known for fact in facts if fact.startswith(place)
    )
    names = {name: None for name in names if " " not in name}
    asked = [f"Where is {'' if name[0].isupper() else 'the '}{name}?" for name in names]
    return asked or [f"Where is {name}?" for name in people_named(sentences)] or ["Where is Mary?"]


def stage_questions(sentences: Sequence[str], asked: Sequence[str]) -> tuple[str, ...]:
    """Where everyone and everything is, then what was asked; each once, at most ``MAX_QUESTIONS``."""
    return tuple(dict.fromkeys([*suggested_questions(sentences), *asked]))[:MAX_QUESTIONS]


def _in_script(data: Json | Sequence[Json] | None) -> str:
    """JSON that cannot end the script element that holds it."""
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
