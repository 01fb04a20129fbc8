"""View: start a small training run, watch, stop and resume it, and use its model. Draws only."""

from collections.abc import Callable

import streamlit as st

from app.loaders import training
from app.loaders.training import Curves, Run
from app.state import URL
from app.widgets.pickers import as_text, draw
from lm2core.errors import UserError
from lm2core.training.batches import TRAINED_TASKS
from lm2viz.figures.training import training_curves

REFRESH_S = 2  # while a run is going


def main() -> None:
    """The page, from top to bottom."""
    st.title("Train a small model")
    st.markdown(
        "A run trains an LM2 with 4 blocks on freshly generated bAbI stories, in the background; it "
        "continues when you close this page. The server runs one at a time, and everyone who opens this page "
        "sees it."
    )
    draw_form()
    names = training.run_names()
    if not names:
        st.info("No run yet. Choose tasks and steps above and press **Start**.")
        st.stop()
    name = st.selectbox("Run", names, key="run", bind=URL)
    try:
        run = training.find_run(name)
    except UserError as error:
        st.error(as_text(error))
        st.stop()
    is_running = training.state_of(run) == training.RUNNING
    st.fragment(draw_run, run_every=REFRESH_S if is_running else None)(run, is_running)


def draw_form() -> None:
    """Choose what a new run learns, and start it."""
    with st.form("new_run"):
        left, middle, right, last = st.columns([3, 4, 2, 2])
        name = left.text_input("Name", "first", key="run_name", max_chars=40)
        tasks = middle.multiselect("Tasks", TRAINED_TASKS, ["qa1"], key="run_tasks")
        n_steps = right.number_input("Steps", 1, training.MAX_STEPS, 600, key="run_steps")
        seed = last.number_input("Seed", 0, 10_000, 0, key="run_seed")
        pressed = st.form_submit_button("Start", icon=":material/play_arrow:")
    st.caption(
        "On one processor core, 600 steps of qa1 take a few minutes. A checkpoint is saved every 250 steps."
    )
    if not pressed:
        return
    try:
        started = training.start_run(name, tasks, int(n_steps), int(seed))
    except UserError as error:
        st.error(as_text(error))
        return
    st.session_state["run"] = started.name


def draw_run(run: Run, was_running: bool) -> None:
    """The state of a run, its curves and its buttons; redrawn while it is running."""
    state = training.state_of(run)
    if was_running and state != training.RUNNING:
        st.rerun()
    curves = training.read_curves(run)
    step = curves.steps[-1] if curves.steps else 0
    st.progress(curves.share, f"{run.name}: {state}, step {step} of {run.n_steps}")
    if state == training.FAILED:
        st.error(as_text(f"The run failed: {training.last_error(run)}"))
    draw_buttons(run, state)
    if curves.steps:
        draw_curves(run, curves)
    elif state == training.RUNNING:
        st.info("The run is starting. Its first values appear after 10 steps.")


def draw_buttons(run: Run, state: str) -> None:
    """Stop, resume or use the run, whichever is possible."""
    if state == training.RUNNING:
        if st.button("Stop", key="stop", icon=":material/stop:"):
            attempt(training.stop_run, run)
    elif state == training.FINISHED:
        if st.button("Use this model on the other pages", key="use", icon=":material/check:"):
            use(run)
    elif training.can_resume(run):
        if st.button("Resume", key="resume", icon=":material/play_arrow:"):
            attempt(training.resume_run, run)
    else:
        st.info("The run ended before its first checkpoint. Start a new one under another name.")


def attempt(action: Callable[[Run], object], run: Run) -> None:
    """Stop or resume a run, or say why not."""
    try:
        action(run)
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


def draw_curves(run: Run, curves: Curves) -> None:
    """Accuracy by task beside what needs no model, and the loss."""
    task = run.tasks[0]
    majority, last_named = training.floor_of(task)
    draw(
        training_curves(
            curves.steps,
            curves.accuracy,
            curves.loss,
            floors={
                f"most frequent answer of {task}": majority,
                f"last place or thing named in {task}": last_named,
            },
            n_steps=run.n_steps,
        ),
        key="curves",
        alt=f"Accuracy and loss up to step {curves.steps[-1]}; without a model {last_named:.0%}",
        caption="Accuracy is a running mean over training. It begins with short stories and drops where "
        f"harder ones begin. Ochre: accuracy without a model, on {training.N_STORIES_OF_FLOOR} full-length "
        f"stories of {task}; on short stories it would be higher. To test the trained model, run lm2 eval.",
    )


main()
