"""From a slot of one page to the page Interventions, which erases it: the slot, the task and a question."""

import streamlit as st

from app.loaders import stories
from app.state import PASTED_STORY, QUESTION
from app.widgets.pickers import GENERATED
from app.widgets.shown_story import is_named, subject_of

STORY_KEYS = ("model", "source", "example", "task", "seed", PASTED_STORY)
N_TRIED = 20  # stories in which a person is looked for: each names most of them
EDITS = "edits"  # URL key of the interventions, as JSON; set in code, bound to no widget


def question_about(fact: str) -> str:
    """Where the person or thing of a fact is; empty for a fact about something else."""
    name = fact.removeprefix("place of ") if fact.startswith("place of ") else ""
    return f"Where is {'' if name[:1].isupper() else 'the '}{name}?" if name else ""


def erase_link(slot: int, question: str) -> dict[str, str]:
    """What the link to Interventions holds: this slot set to zero, and a question, of the chosen story."""
    from lm2viz.causal import Zero, to_json  # torch, which the first page does without

    kept = {key: str(value) for key in STORY_KEYS if (value := st.session_state.get(key)) is not None}
    return kept | {QUESTION: question, EDITS: to_json([Zero(slots=(slot,))])}


def _story_that_names(task: str, subject: str) -> int:
    """The first seed of a story of the task that has this word; 0 where none of the first has."""
    named = (s for s in range(N_TRIED) if is_named(subject, stories.generate_story(task, s).sentences))
    return next(named, 0)


def erase_button(model: str, slot: int, question: str, *, task: str) -> None:
    """Open Interventions with this slot set to zero, and a question about somebody whom the story names."""
    seed = str(_story_that_names(task, subject_of(question)))
    of_task = {"model": model, "source": GENERATED, "task": task, "seed": seed, "effect_task": task}
    st.page_link(
        "views/interventions.py",
        label=f"Erase slot {slot}",
        icon=":material/science:",
        query_params={key: value for key, value in (erase_link(slot, question) | of_task).items() if value},
    )
