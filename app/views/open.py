"""View: open a trace, a checkpoint, stories or labels, and download what the page shows."""

import streamlit as st

from app.loaders import traces
from app.loaders.folders import place_of
from app.panels.open_files import draw_folder, draw_stories, draw_trace_file
from app.panels.python_code import story_source
from app.panels.story_downloads import draw_code, draw_downloads
from app.panels.story_memory import draw_memory
from app.state import STEP, URL, clamp_state
from app.widgets.pickers import as_text, pick_model, pick_question, pick_step, pick_story
from app.widgets.waiting import wait_for
from lm2core.errors import UserError

TRACE, FOLDER, STORIES, DOWNLOADS = "Trace file", "Checkpoint folder", "Stories", "Downloads"


def main() -> None:
    """The page, from top to bottom."""
    st.title("Open files, download results")
    st.markdown(
        "Only you see what you open here, unless you share a link to it. "
        "Files are read as data: no code in them is run."
    )
    view = st.segmented_control(
        "View", [TRACE, FOLDER, STORIES, DOWNLOADS], default=TRACE, required=True, key="open", bind=URL
    )
    if view == TRACE:
        draw_trace_file()
    elif view == FOLDER:
        draw_folder()
    elif view == STORIES:
        draw_stories()
    else:
        draw_this_story()


def draw_this_story() -> None:
    """The story of the sidebar as the model reads it, and its downloads."""
    with st.sidebar:
        model = pick_model()
        story = pick_story(model)
    question = pick_question(story, len(story.sentences))
    clamp_state(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences))
    try:
        trace = wait_for("Reading the story", traces.load_trace, model, story.sentences)
        answer = traces.load_answer(model, story.sentences, step, question)
    except UserError as error:
        st.error(as_text(error))
        st.stop()
    left, right = st.columns([3, 5], gap="large")
    with left:
        with st.container(border=True):
            st.text("\n".join(story.lines_around(step)))
        draw_downloads(trace)
    with right:
        draw_memory(trace, step, answer)
    draw_code(story_source(place_of(model), story.sentences), step, question)


main()
