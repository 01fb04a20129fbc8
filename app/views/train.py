"""View: start a small training run, watch, stop, resume and delete it, and use its model. Draws only."""

import streamlit as st

from app.loaders import runs, training
from app.loaders.runs import Curves, Run
from app.loaders.visitor import current_visitor
from app.panels.train_buttons import draw_buttons, draw_token
from app.state import URL
from app.widgets.pickers import as_text, draw
from lm2core.babi.tasks import TASKS
from lm2core.errors import UserError
from lm2viz.figures.training import training_curves

REFRESH_S = 2  # while a run is going

# Metrics of the memory that are shown: how, and what they are called.
MEMORY = {
    "slots_in_use": ("{:.1f} of {of:.0f}", "Slots in use"),
    "gate_in": ("{:.2f}", "Input gates, mean"),
    "gate_forget": ("{:.2f}", "Forget gates, mean"),
    "gate_out": ("{:.2f}", "Output gates, mean"),
    "gradient_share": ("{:.0%}", "Gradient of the memory"),
}


def main() -> None:
    """The page, from top to bottom."""
    st.title("Train a small model")
    st.markdown(
        "A run trains an LM2 with 4 blocks on freshly generated bAbI stories, in the background; it "
        "continues when you close this page. The server runs one at a time, and everyone who opens this page "
        "sees it. Only you can stop or delete the runs that you started."
    )
    if training.can_train():
        draw_form()
    else:
        st.info(training.TRAINING_OFF)
    names = runs.run_names()
    if names:
        draw_runs(names)
    elif training.can_train():
        st.info("No run yet. Choose tasks and steps above and press **Start**.")


def draw_runs(names: list[str]) -> None:
    """Choose one of the runs and watch it."""
    name = st.selectbox("Run", names, key="run", bind=URL)
    try:
        run = runs.find_run(name)
    except UserError as error:
        st.error(as_text(error))
        return
    is_running = runs.state_of(run) == runs.RUNNING
    st.fragment(draw_run, run_every=REFRESH_S if is_running else None)(run, is_running)
    draw_token()


def draw_form() -> None:
    """Choose what a new run learns, and start it."""
    with st.form("new_run"):
        left, middle, right, last = st.columns([3, 4, 2, 2])
        name = left.text_input("Name", "first", key="run_name", max_chars=40)
        tasks = middle.multiselect("Tasks", list(TASKS), ["qa1"], key="run_tasks")
        n_steps = right.number_input("Steps", 1, training.MAX_STEPS, 600, key="run_steps")
        seed = last.number_input("Seed", 0, 10_000, 0, key="run_seed")
        pressed = st.form_submit_button("Start", icon=":material/play_arrow:")
    st.caption(
        "On one processor core, 600 steps of qa1 take a few minutes. A checkpoint is saved every 250 steps."
    )
    if not pressed:
        return
    try:
        started = training.start_run(name, tasks, int(n_steps), int(seed), current_visitor())
    except UserError as error:
        st.error(as_text(error))
        return
    st.session_state["run"] = started.name


def draw_run(run: Run, was_running: bool) -> None:
    """The state of a run, its curves and its buttons; redrawn while it is running."""
    state = runs.state_of(run)
    if was_running and state != runs.RUNNING:
        st.rerun()
    curves = runs.read_curves(run)
    step = curves.steps[-1] if curves.steps else 0
    st.progress(curves.share, f"{run.name}: {state}, step {step} of {run.n_steps}")
    if state == runs.FAILED:
        st.error(as_text(f"The run failed: {runs.last_error(run)}"))
    draw_buttons(run, state)
    if curves.steps:
        draw_memory(curves)
        draw_curves(run, curves)
    elif state == runs.RUNNING:
        st.info("The run is starting. Its first values appear after 10 steps.")


def draw_memory(curves: Curves) -> None:
    """What the memory did in the last step that was measured, and what to look at."""
    for warning in curves.warnings:
        st.warning(warning)
    memory = {name: value for name, value in curves.memory.items() if value is not None}
    shown = [(name, form, label) for name, (form, label) in MEMORY.items() if name in memory]
    for column, (name, form, label) in zip(st.columns(len(MEMORY)), shown, strict=False):
        column.metric(label, form.format(memory[name], of=memory["n_slots"]))


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
