"""The example stories, and what the stage draws of them without a model: the app's first page needs no torch.

``python -m lm2viz.stage.shipped`` computes the payloads again; a test compares.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from lm2core.babi.text import TextStory, read_babi
from lm2core.reading.checkpoints import SHIPPED
from lm2viz.stage.page import stage_questions
from lm2viz.stage.slot_probes import PROBES, Json
from lm2viz.stage.weights import tensors_json

STORIES = Path(__file__).parent / "stories"
PAYLOADS = Path(__file__).parent / "payloads"  # by model: its JSON without weights, and one payload a story


def example_names() -> list[str]:
    """Names of the example stories."""
    return sorted(path.stem for path in STORIES.glob("*.txt"))


def example_story(name: str) -> TextStory:
    """An example story, with its questions."""
    return read_babi(STORIES / f"{name}.txt")[0]


def example_questions(story: TextStory) -> tuple[str, ...]:
    """What the stage asks after every sentence of an example."""
    return stage_questions(story.sentences, [question.text for question in story.questions])


def shipped_payload(model: str, sentences: Sequence[str], questions: Sequence[str]) -> Json | None:
    """The payload of an example story with these questions; None where none ships.

    model : name of a model; only the first of the shipped ones has payloads
    """
    wanted = (list(sentences), list(questions))
    payloads: list[Json] = _shipped(model).get("payloads", [])
    return next((payload for payload in payloads if _texts(payload) == wanted), None)


def shipped_engine(model: str) -> Json | None:
    """What ``{"model": model_json(lm), "probes": stage_probes(lm)}`` gives, from files; None as above."""
    from safetensors.numpy import load_file

    without_weights = _shipped(model).get("model")
    if without_weights is None:
        return None
    tensors = tensors_json(load_file(SHIPPED / model / "model.safetensors"))
    probes = json.loads((PROBES / f"{model}.json").read_text("utf-8"))["probes"]
    return {"model": {**without_weights, "tensors": tensors}, "probes": probes}


@cache
def _shipped(model: str) -> Json:
    path = PAYLOADS / f"{model}.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _texts(payload: Json) -> tuple[list[str], list[str]]:
    """Sentences and questions."""
    sentences, questions = ([each["text"] for each in payload[name]] for name in ("sentences", "questions"))
    return sentences, questions
