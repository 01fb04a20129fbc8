"""Pickers that pages share. Each returns a value and keeps it in the URL."""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import plotly.graph_objects as go
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import models, stories
from app.state import (
    PASTED_STORY,
    PASTED_TEXT,
    QUESTION,
    REQUESTED_STEP,
    STEP,
    URL,
    apply_requested_step,
    move_step,
)
from app.widgets.shown_story import ShownStory
from app.widgets.text_size import in_chosen_size
from app.widgets.waiting import wait_for
from lm2core.babi.known_facts import known_facts
from lm2core.errors import UserError
from lm2core.reading.checkpoints import memories_at_hand
from lm2viz.figures.heatmap import clickable
from lm2viz.stage.examples import example_names
from lm2viz.stage.page import suggested_questions

if TYPE_CHECKING:  # what needs torch or pandas is imported where it is used: the first page does without
    from lm2core.traces.trace import Trace
    from lm2viz.sample.story_sample import StorySample

EXAMPLE, GENERATED, PASTED = "Example", "Generated", "Own"


def as_text(words: object) -> str:
    """Escape words of a user or a file for a message, so that markup in them is shown as text."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", " ".join(str(words).split()))


def container_key(acts: bool, name: str) -> str:
    """Key of a picker's container: contrast.py hides a picker that does not act, and its value stays."""
    return f"{'used' if acts else 'unused'}_{name}"


def shown_if(acts: bool, name: str) -> DeltaGenerator:
    """The container of a picker, out of sight unless it acts."""
    return st.container(key=container_key(acts, name))


def pick_model() -> str:
    """Choose one of the models."""
    names = models.model_names()
    if not names:
        st.error("No trained model is installed. Train one with: lm2 train --preset babi-tiny --out DIR")
        st.stop()
    linked = st.query_params.get("model", "")
    if linked and linked not in names:
        if models.open_linked(linked):
            names = models.model_names()
        else:
            st.info(
                f"The model {as_text(linked)} of this link is not here, or has changed. Another is shown."
            )
    missing = ", ".join(models.missing_memories())
    more = f"Also {missing}, which reads open English, once its Llama is here: lm2 backbone smollm2"
    chosen = st.selectbox("Model", names, key="model", bind=URL, help=more if missing else None)
    if chosen in memories_at_hand():  # its Llama is not the package's, and may be damaged
        try:
            models.load_model(chosen)
        except UserError as error:
            st.error(as_text(error))
            st.stop()
    return chosen


def refuse_beside_llama(model: str) -> None:
    """Stop a page that looks for what a slot holds in every story."""
    if models.is_beside_llama(model):
        st.info(
            f"The slots of {as_text(model)} are assigned as a story needs them, so none holds the same fact "
            "in every story. See **Slot words** on the page Story, or choose another model."
        )
        st.stop()


def _pick_task(model: str) -> str:
    """Choose a task whose words ``model`` knows; stop the page where there is none."""
    tasks = models.known_tasks(model)
    if not tasks:
        st.info("This model lacks words of every task. Choose another model, or another kind of story.")
        st.stop()
    return st.selectbox("Task", tasks, key="task", bind=URL)


def pick_sample(sizes: Sequence[int], default: int) -> "tuple[str, StorySample]":
    """Choose a model, a task, and how many stories; fewer of long ones, which is said."""
    from app.loaders.sample import MAX_SENTENCES, page_sample

    model = pick_model()
    refuse_beside_llama(model)
    task = _pick_task(model)
    n = st.segmented_control(
        "Stories",
        sizes,
        default=default,
        required=True,
        key="n_stories",
        bind=URL,
        help="Story k is generated with seed k. More stories: narrower intervals, longer wait the first "
        "time.",
    )
    sample = page_sample(task, n)
    n_read = len(sample.stories)
    st.caption(
        f"{n_read} stories, {sum(len(story.sentences) for story in sample.stories)} sentences; story 0 is "
        "that of seed 0."
        + ("" if n_read == n else f" Their stories are long: a page reads {MAX_SENTENCES:,} sentences.")
    )
    return model, sample


def pick_story(model: str) -> ShownStory:
    """Choose an example, a generated story of a task whose words ``model`` knows, or paste one."""
    sources = [EXAMPLE, GENERATED, PASTED]
    source = st.segmented_control("Story", sources, default=EXAMPLE, required=True, key="source", bind=URL)
    if source == GENERATED:
        task = _pick_task(model)
        seed = st.number_input(
            "Seed", 0, 10_000, 0, key="seed", help="The same seed always gives the same story.", bind=URL
        )
        generated = stories.generate_story(task, int(seed))
        return ShownStory(generated.sentences, generated.questions, task, known_facts(generated.statements))
    if source == PASTED:
        pasted = _pasted_sentences()
        return ShownStory(pasted, (), *stories.task_and_facts(pasted))
    example = stories.load_example(st.selectbox("Example", example_names(), key="example", bind=URL))
    return ShownStory(example.sentences, example.questions, *stories.task_and_facts(example.sentences))


def open_story(sentences: tuple[str, ...], also: Mapping[str, str] = MappingProxyType({})) -> None:
    """Go to the Story page with these sentences as a pasted story, read to its end.

    Set in the URL, for the link, and in the state, which may hold another story. The model is in both
    already, and may not be set: it belongs to its picker.

    also : further state of that page, such as its question
    """
    target_state: dict[str, str | int] = {"source": PASTED, STEP: len(sentences), **also}
    for name, value in target_state.items():
        st.session_state[name] = value
    query = {name: str(value) for name, value in target_state.items()}
    st.switch_page("views/story.py", query_params={**query, PASTED_STORY: stories.store_story(sentences)})


def pick_model_and_story() -> tuple[str, ShownStory]:
    """Choose both, in the sidebar."""
    with st.sidebar:
        model = pick_model()
        return model, pick_story(model)


def choose_story() -> "tuple[str, ShownStory, Trace]":
    """Choose a model and a story and record the memory; stop the page with one line where that fails."""
    from app.loaders import traces

    model, story = pick_model_and_story()
    try:
        return model, story, wait_for("Reading the story", traces.load_trace, model, story.sentences)
    except UserError as error:
        st.error(as_text(error))
        st.stop()


def _pasted_sentences() -> tuple[str, ...]:
    """The pasted story; its link holds a key, not the text."""
    key = st.query_params.get(PASTED_STORY, "")
    retained = stories.find_story(key)
    if key and retained is None:
        st.info("This server no longer has the story in this link. Paste it here to see it.")
    st.session_state.setdefault(PASTED_TEXT, "\n".join(retained or ()))
    with st.form("own_story"):
        text = st.text_area(
            "One sentence per line",
            key=PASTED_TEXT,
            height=180,
            placeholder="Mary went to the kitchen.\nMary took the milk there.",
        )
        if st.form_submit_button("Read story"):
            retained = tuple(line.strip() for line in text.splitlines() if line.strip())
            _check(retained)
            st.query_params[PASTED_STORY] = stories.store_story(retained)
            st.session_state[REQUESTED_STEP] = len(retained)
    if not retained:
        st.info("The story is empty. Write at least one sentence and press **Read story**.")
        st.stop()
    return retained


def _check(sentences: tuple[str, ...]) -> None:
    """Stop the page with one line when a pasted story is too long."""
    try:
        stories.check_story(sentences)
    except UserError as error:
        st.error(as_text(error))
        st.stop()


def pick_step(n_sentences: int, *, default: int | None = None) -> int:
    """Choose how many sentences have been read; 0 is before the first. ``default`` None: all of them."""
    apply_requested_step(n_sentences)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _step_button("Back", "left", -1, n_sentences)
        _step_button("Next", "right", 1, n_sentences)
        step = st.slider(
            "Sentences read", 0, n_sentences, n_sentences if default is None else default, key=STEP, bind=URL
        )
    if REQUESTED_STEP in st.session_state:
        st.rerun()
    return step


def _step_button(label: str, side: str, by: int, n_sentences: int) -> None:
    st.button(
        label,
        icon=f":material/chevron_{side}:",
        shortcut=side.title(),
        key=label.lower(),
        on_click=move_step,
        args=(by, n_sentences),
    )


def pick_question(story: ShownStory, step: int) -> str:
    """The question that is typed; before that, one about somebody whom the story has mentioned."""
    suggested = story.question_at(step)
    placeholder = suggested or suggested_questions(story.sentences)[0]
    typed = st.text_input("Question", placeholder=placeholder, key=QUESTION, max_chars=200, bind=URL)
    if suggested is None and not typed:
        st.caption("No sentence so far says where anybody is.")
    elif unnamed := story.unnamed(typed or placeholder, step):
        st.caption(f"{as_text(unnamed)} was not mentioned yet: the answer is a guess.")
    return typed or placeholder


def draw(
    figure: go.Figure, *, key: str, alt: str, caption: str, on_click: Callable[[], None] | None = None
) -> None:
    """Show a figure with its caption, and a text for those who cannot see it.

    The camera in its corner downloads it as SVG.

    With ``on_click`` the cells of a heatmap, or the points of another figure, can be clicked; the callback
    finds the click under ``key``.
    """
    camera = {
        "modeBarButtons": [["toImage"]],
        "displaylogo": False,
        "toImageButtonOptions": {"format": "svg", "filename": key},
    }
    fixed: dict[str, Any] = {"key": key, "alt": alt, "width": "stretch", "config": camera}
    figure = in_chosen_size(figure)
    if on_click is None:
        st.plotly_chart(figure, **fixed)
    else:
        is_heatmap = isinstance(figure.data[0], go.Heatmap)
        figure = clickable(figure) if is_heatmap else figure
        st.plotly_chart(figure, on_select=on_click, selection_mode="points", **fixed)
    st.caption(caption)
