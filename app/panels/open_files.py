"""Panels of the Open page: a trace file with labels, a checkpoint folder, a file of stories."""

import streamlit as st

from app.loaders import folders, models, opened
from app.loaders.labels import MAX_MEGABYTES
from app.panels.python_code import file_source
from app.panels.story_downloads import draw_code, draw_downloads
from app.panels.story_memory import draw_memory
from app.state import STEP, clamp_state
from app.widgets.pickers import as_text, open_story, pick_step
from app.widgets.shown_story import ShownStory
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.traces.trace import Trace

STORY_PAGE = "views/story.py"


def draw_trace_file() -> None:
    """Open a trace and step through it; without its model, no question can be asked."""
    upload = st.file_uploader(
        "Trace file",
        type="safetensors",
        max_upload_size=opened.MAX_TRACE_MEGABYTES,
        key="trace_upload",
        on_change=opened.close_trace,
        help="Record one with: lm2 trace MODEL --story FILE --out run.safetensors, or under Downloads.",
    )
    trace_file = opened.uploaded_trace()
    if upload is not None and trace_file is None:
        try:
            with st.spinner("Opening the trace …", show_time=True):
                trace_file = opened.open_trace(upload.name, upload.getvalue())
        except UserError as error:
            st.error(as_text(error))
            st.stop()
    if trace_file is None:
        st.info(
            "Open a trace file to step through it without its model. To get one, press **Downloads** above, "
            "or run: `lm2 trace MODEL --story FILE --out run.safetensors`"
        )
        st.stop()
    if upload is None:
        st.button(f"Close {as_text(trace_file.name)}", icon=":material/close:", on_click=opened.close_trace)
    draw_uploaded(trace_file)


def draw_uploaded(trace_file: opened.UploadedTrace) -> None:
    """One story of the opened trace, step by step, with the facts known so far."""
    trace = trace_file.trace
    n_stories = len(trace.tokens)
    st.markdown(
        f"Recorded from **{as_text(trace.info.get('model', 'an unnamed model'))}**: "
        f"{n_stories} {'story' if n_stories == 1 else 'stories'}; memory in blocks "
        f"{', '.join(map(str, trace.blocks))}."
    )
    clamp_state("trace_story", 0, n_stories - 1)
    number = (
        0 if n_stories == 1 else st.number_input("Story in the trace", 0, n_stories - 1, key="trace_story")
    )
    story_trace = opened.story_of(trace_file, number)
    story = ShownStory(tuple(" ".join(words) for words in story_trace.tokens[0]))
    clamp_state(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences))
    left, right = st.columns([3, 5], gap="large")
    with left:
        with st.container(border=True):
            st.text("\n".join(story.lines_around(step)))
        draw_facts(trace, number, step)
        draw_downloads(story_trace)
    with right:
        try:
            draw_memory(story_trace, step, None)
        except UserError as error:  # e.g. more cells than can be clicked
            st.error(as_text(error))
            st.stop()
    draw_code(file_source(trace_file.name, number), step, None)


def draw_facts(trace: Trace, story: int, step: int) -> None:
    """What is true after this sentence: the facts in the trace, or the user's labels instead."""
    st.subheader("Known so far")
    facts = opened.facts_after(trace, story, step)
    if facts.empty:
        st.info("No fact is known after this sentence. You can open a table of facts below.")
    else:
        st.dataframe(facts, hide_index=True)
        source = "your labels" if opened.has_labels() else "the trace (the story's simulator)"
        st.caption(f"Facts after this sentence, and the sentence that stated each. Source: {source}.")
    upload = st.file_uploader(
        "Your labels: a CSV file with columns story, segment (both from 0), fact, value",
        type="csv",
        max_upload_size=MAX_MEGABYTES,
        key="labels_upload",
        on_change=opened.close_labels,
    )
    if upload is not None and not opened.has_labels():
        try:
            opened.open_labels(upload.getvalue())
        except UserError as error:
            st.error(as_text(error))
            return
        st.rerun()


def draw_folder() -> None:
    """Open a checkpoint folder on the server, where it allows that, and list those this user opened."""
    if folders.can_type_paths():
        draw_folder_form()
    else:
        st.info(folders.PATHS_OFF)
    for name in folders.opened_folders():
        link_column, close = st.columns([5, 2], vertical_alignment="center")
        link_column.page_link(
            STORY_PAGE,
            label=f"Open {as_text(name)} on the Story page",
            icon=":material/menu_book:",
            query_params={"model": name},
        )
        close.button("Close", key=f"close_{name}", on_click=folders.close_folder, args=(name,))


def draw_folder_form() -> None:
    """Type a folder; its model is added to this user's models."""
    with st.form("open_folder"):
        typed = st.text_input(
            "Folder on the server, relative to its checkpoint folder",
            key="folder",
            max_chars=400,
            placeholder="runs/first",
            help="A folder that 'lm2 train --out DIR' or save_pretrained wrote. Weights must be "
            "*.safetensors; no code in the folder is run.",
        )
        pressed = st.form_submit_button("Open folder")
    if pressed:
        open_typed(typed)
    if not folders.opened_folders():
        st.info(
            "Type a folder and press **Open folder**. You then find its model on every page; others do not."
        )


def open_typed(typed: str) -> None:
    """Open the typed folder and describe its model, or say in one line why not."""
    try:
        name = folders.name_folder(typed)
        size = wait_for("Opening the checkpoint", models.describe, name)
        folders.add_folder(name)
    except UserError as error:
        st.error(as_text(error))
        return
    st.success(f"Opened {as_text(name)}: {size}.")


def draw_stories() -> None:
    """Open a text file of stories; the chosen one can be read on every page that takes a pasted story."""
    upload = st.file_uploader(
        "Stories: a text file with one sentence per line, or a bAbI file",
        type="txt",
        key="story_upload",
    )
    if upload is None:
        st.info("Open a text file with one sentence per line, or a bAbI file of many stories.")
        st.stop()
    try:
        stories_read = opened.open_stories(upload.getvalue())
    except UserError as error:
        st.error(as_text(error))
        st.stop()
    clamp_state("file_story", 1, len(stories_read))
    number = (
        1
        if len(stories_read) == 1
        else st.number_input(f"Story (1 to {len(stories_read)})", 1, len(stories_read), key="file_story")
    )
    sentences = stories_read[number - 1]
    with st.container(border=True, height=320 if len(sentences) > 12 else "content"):
        st.text("\n".join(sentences))
    st.caption(
        f"Sentences: {len(sentences)}. Opening the story puts it in a link; anyone with the link can see it."
    )
    if st.button("Open on the Story page", icon=":material/menu_book:", key="read_story"):
        open_story(sentences)
