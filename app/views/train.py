"""View: start a small training run, watch it learn, stop it, resume it, use what it learnt. Draws only."""

from collections.abc import Callable

import streamlit as st

from app.loaders import training
from app.loaders.training import Curves, Run
from app.state import URL
from app.widgets.pickers import as_text, draw
from lm2core.errors import UserError
from lm2core.training.batches import TRAINED_TASKS
from lm2viz.figures.training import training_curves

EVERY_S = 2  # between two looks at a run that goes


def main() -> None:
    """The page, from top to bottom."""
    st.title("Train a small one")
    st.markdown(
        "A run trains an LM2 of 4 blocks on fresh bAbI stories, in the background. It goes on when this page "
        "is closed. One run at a time goes on this server, and everybody who opens this page sees it."
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
    is_going = training.state_of(run) == training.RUNNING
    st.fragment(draw_run, run_every=EVERY_S if is_going else None)(run, is_going)


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
        "On one processor core 600 steps of qa1 take some minutes; a checkpoint is kept every 250 steps."
    )
    if not pressed:
        return
    try:
        started = training.start_run(name, tasks, int(n_steps), int(seed))
    except UserError as error:
        st.error(as_text(error))
        return
    st.session_state["run"] = started.name


def draw_run(run: Run, was_going: bool) -> None:
    """How a run stands now, its curves, and what can be done with it; drawn again while it goes."""
    state = training.state_of(run)
    if was_going and state != training.RUNNING:
        st.rerun()
    curves = training.read_curves(run)
    step = curves.steps[-1] if curves.steps else 0
    st.progress(curves.share, f"{run.name}: {state}, step {step} of {run.n_steps}")
    if state == training.FAILED:
        st.error(as_text(f"The run ended early: {training.last_error(run)}"))
    draw_buttons(run, state)
    if curves.steps:
        draw_curves(run, curves)
    elif state == training.RUNNING:
        st.info("Loading; the first figures come after 10 steps.")


def draw_buttons(run: Run, state: str) -> None:
    """Stop, resume or use the run, whichever it allows."""
    if state == training.RUNNING:
        if st.button("Stop", key="stop", icon=":material/stop:"):
            attempt(training.stop_run, run)
    elif state == training.FINISHED:
        if st.button("Use it in the other pages", key="use", icon=":material/check:"):
            use(run)
    elif training.can_resume(run):
        if st.button("Resume", key="resume", icon=":material/play_arrow:"):
            attempt(training.resume_run, run)
    else:
        st.info("It was over before its first checkpoint. Start a new run under another name.")


def attempt(action: Callable[[Run], object], run: Run) -> None:
    """Stop or resume a run, or say why not."""
    try:
        action(run)
    except UserError as error:
        st.error(as_text(error))
        return
    st.rerun()


def use(run: Run) -> None:
    """Add the trained model to this visitor's models."""
    try:
        name = training.use_run(run)
    except UserError as error:
        st.error(as_text(error))
        return
    st.page_link(
        "views/story.py",
        label=f"{as_text(name)} on the Story page",
        icon=":material/menu_book:",
        query_params={"model": name},
    )


def draw_curves(run: Run, curves: Curves) -> None:
    """Accuracy by task with what needs no model, and the loss."""
    task = run.tasks[0]
    majority, last_named = training.floor_of(task)
    draw(
        training_curves(
            curves.steps,
            curves.accuracy,
            curves.loss,
            floors={f"commonest answer of {task}": majority, f"last named in {task}": last_named},
            n_steps=run.n_steps,
        ),
        key="curves",
        alt=f"Accuracy and loss up to step {curves.steps[-1]}; without a model {last_named:.0%}",
        caption=f"Ochre: what needs no model, on {training.N_STORIES_OF_FLOOR} fresh stories of full length "
        f"of the first task, {task}. Accuracy is a running mean in training, which begins with short "
        "stories, where such answers are right more often; it falls where harder ones begin. What it has "
        "learnt, lm2 eval says.",
    )


main()
