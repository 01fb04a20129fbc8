"""Two models side by side: which of their slots hold the same."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import models, slots
from app.loaders.sample import page_sample
from app.panels.reproduce import draw_reproduce, of_matching
from app.state import URL
from app.widgets.pickers import as_text, draw, pick_model
from app.widgets.tables import readable
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2viz.slots import Matching


def draw_two_models(place: DeltaGenerator) -> None:
    """Choose two models and a task; show their slots matched one to one, with controls."""
    st.markdown(
        f"Two models read the same {slots.N_MATCHED} stories. Numbers and bases of slots differ between "
        "models, so slots are **matched**: two slots agree as far as the content of one can be predicted "
        "linearly from the other. Pairs are chosen on half of the stories and scored on the other half."
    )
    try:
        first, second = pick_two()
        task = pick_task(first, second)
        sample = page_sample(task, slots.N_MATCHED)
        message = f"Reading {sample.describe()} with both models and matching their slots"
        result = wait_for(message, slots.load_matching, first, second, names_of(first, second), sample)
    except UserError as error:
        st.error(as_text(error))
        return
    draw_verdict(place, result.verdict)
    draw_matching(result)
    draw_reproduce(of_matching(first, second, names_of(first, second), sample))


def pick_two() -> tuple[str, str]:
    """Choose two different models."""
    left, right = st.columns(2)
    with left:
        first = pick_model()
    others = [name for name in models.model_names() if name != first]
    if not others:
        st.info("There is only one model. Train another on the page **Train**, or open a folder on **Open**.")
        st.stop()
    with right:
        return first, st.selectbox("Second model", others, key="other_model", bind=URL)


def pick_task(first: str, second: str) -> str:
    """Choose a task whose every word both models know."""
    known = models.known_tasks(second)
    tasks = [task for task in models.known_tasks(first) if task in known]
    if not tasks:
        st.info("There is no task whose words both models know. Choose other models.")
        st.stop()
    return st.selectbox("Task", tasks, key="task", bind=URL)


def names_of(first: str, second: str) -> tuple[str, str]:
    """The models' names without their checksums, where those still differ."""
    short = first.rpartition("@")[0] or first, second.rpartition("@")[0] or second
    return short if short[0] != short[1] else (first, second)


def draw_matching(result: Matching) -> None:
    """All pairs with their controls; then the numbers."""
    st.caption(f"{as_text(result.about)}. {as_text(result.finding)}.")
    draw(
        result.figure(),
        key="matching",
        alt=result.summary(),
        caption=f"Each row is a pair: a slot of {as_text(result.names[0])} and one of "
        f"{as_text(result.names[1])}. A long blue bar, away from both marks: they hold the same, and more so "
        "than slots in general. Lines are 95 % intervals over stories.",
    )
    st.dataframe(readable(result.table()), hide_index=True, width="stretch")
    st.caption(
        "Score: share of variance predicted on held-out stories, mean of both directions. Shuffled: the "
        "second model's stories are exchanged. Random slot: the first slot with a random slot of the second "
        "model."
    )
