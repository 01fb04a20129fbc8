"""What can be done with a training run: stop, resume, delete, use its model; and the operator's token."""

from collections.abc import Callable

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import runs, training, visitor
from app.loaders.runs import Run
from app.loaders.visitor import Visitor
from app.widgets.pickers import as_text
from lm2core.errors import UserError


def draw_buttons(run: Run, state: str) -> None:
    """The buttons that act on the run now; those that change it only for who may."""
    visitor_now = visitor.current_visitor()
    may_change = visitor_now.may_change(run.owner)
    row = st.container(horizontal=True)
    if may_change:
        draw_changes(row, run, state, visitor_now)
    if state == runs.FINISHED:
        if row.button("Use this model on the other pages", key="use", icon=":material/check:"):
            use(run)
    elif state != runs.RUNNING and not runs.can_resume(run):
        st.info("The run ended before its first checkpoint. Start a new one under another name.")
    if not may_change:
        st.caption(whose_it_is())


def draw_changes(row: DeltaGenerator, run: Run, state: str, visitor_now: Visitor) -> None:
    """Stop, resume and delete, whichever is possible."""
    if state == runs.RUNNING:
        if row.button("Stop", key="stop", icon=":material/stop:"):
            attempt(training.stop_run, run, visitor_now)
        return
    resumes = runs.can_resume(run) and training.can_train()
    if resumes and row.button("Resume", key="resume", icon=":material/play_arrow:"):
        attempt(training.resume_run, run, visitor_now)
    with row.popover("Delete", icon=":material/delete:"):
        st.markdown(f"This deletes the checkpoints, the model and the log of **{run.name}** from the server.")
        if st.button(f"Delete {run.name} for good", key="delete", type="primary"):
            attempt(training.delete_run, run, visitor_now)


def whose_it_is() -> str:
    """Who can change a run that is not this visitor's."""
    if visitor.has_token():
        return "Another visitor started this run: only they, or the operator, can stop, resume or delete it."
    return (
        "Another visitor started this run: only they can stop, resume or delete it. This server has no token "
        "for its operator; see LM2_TOKEN in docs/DEPLOY.md."
    )


def attempt(action: Callable[[str, Visitor], object], run: Run, visitor_now: Visitor) -> None:
    """Stop, resume or delete a run, or say why not."""
    try:
        action(run.name, visitor_now)
    except UserError as error:
        st.error(as_text(error))
        return
    st.rerun()


def use(run: Run) -> None:
    """Add the trained model to this user's models."""
    try:
        name = training.use_run(run)
    except UserError as error:
        st.error(as_text(error))
        return
    st.page_link(
        "views/story.py",
        label=f"Open {as_text(name)} on the Story page",
        icon=":material/menu_book:",
        query_params={"model": name},
    )


def draw_token() -> None:
    """Where the server has a token, its operator types it here to manage the runs of all visitors."""
    if not visitor.has_token():
        return
    if visitor.current_visitor().is_operator:
        st.caption("You typed the server's token: until you reload this page, you can manage all runs.")
        return
    with st.expander("For the operator of this server"), st.form("token", border=False):
        typed = st.text_input("Token", type="password", key="typed_token", max_chars=200)
        pressed = st.form_submit_button("Manage all runs")
    if not pressed:
        return
    try:
        visitor.become_operator(typed)
    except UserError as error:
        st.error(as_text(error))
        return
    st.rerun()
