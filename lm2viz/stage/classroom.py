"""One HTML file with a story, its memory and the model itself: for a class, with nothing to install."""

from collections.abc import Sequence
from pathlib import Path

from lm2core.files import write_atomically
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.lessons.shipped import measured_lessons
from lm2viz.stage.page import check_length, probes_for, stage_page, suggested_questions
from lm2viz.stage.shipped import stage_probes
from lm2viz.stage.story_payload import story_payload
from lm2viz.stage.weights import model_json

STORY = (
    "Mary went to the kitchen.",
    "John moved to the garden.",
    "Daniel journeyed to the office.",
    "Sandra travelled to the bedroom.",
    "Mary went back to the hallway.",
    "John went to the bathroom.",
)


def classroom(lm: LoadedModel, sentences: Sequence[str] = STORY, questions: Sequence[str] = ()) -> str:
    """An HTML page with the stage of a story and the model itself: own sentences and edits act in it.

    Its lessons are measured on the model: those of the app's model were before, others are now.

    questions : the first one is shown first; without any, those that the story's facts answer

    Raises
    ------
    UserError
        For a model that the page cannot hold, unknown words, and stories that are empty or too long.
    """
    check_length(sentences)
    model = model_json(lm)
    probes = stage_probes(lm)
    payload = story_payload(
        lm, sentences, list(questions) or suggested_questions(sentences), probes=probes_for(probes, sentences)
    )
    about = (
        f"A small language model ({payload['model']['n_parameters']:,} parameters) with a memory of "
        f"{payload['model']['n_slots']} slots. It was trained on stories with {payload['model']['n_words']} "
        "words, and runs here, in this page. Watch what it writes, ask it, erase a slot, type a story, or "
        "take a lesson."
    )
    return stage_page(
        "What is in this model's memory?",
        about,
        payload,
        engine={"model": model, "probes": probes},
        lessons=measured_lessons(lm),
    )


def write_classroom(
    path: str | Path, lm: LoadedModel, sentences: Sequence[str] = STORY, questions: Sequence[str] = ()
) -> None:
    """Write the page of ``classroom`` atomically."""
    write_atomically(path, classroom(lm, sentences, questions))
