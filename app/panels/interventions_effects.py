"""What interventions change: on the story of the page, and on many stories of a task."""

from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import interventions
from app.loaders.models import known_tasks
from app.panels.python_code import of_story, story_effect_code
from app.panels.reproduce import draw_reproduce, of_effect
from app.state import QUESTION, URL
from app.widgets.measure_button import measure_button
from app.widgets.measured import draw_finding, wait_for_finding
from app.widgets.pickers import as_text, draw
from app.widgets.shown_story import ShownStory
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2viz.causal.describe import action_in_words
from lm2viz.causal.on_story import changed_slots
from lm2viz.figures.heatmap import fraction_heatmap
from lm2viz.sample.story_sample import StorySample
from lm2viz.stage.page import suggested_questions

N_SLOTS_SHOWN = 6
SIZES = (25, 100)  # stories
HINT = (
    "Press **Measure** below to read many stories with and without the interventions, and with placebos. It "
    "takes seconds for 25 stories, up to a minute for 100."
)


def pick_effect_sample(model: str, sizes: tuple[int, ...] = SIZES) -> StorySample:
    """Choose task, seed and number of the generated stories; 100 of them at first."""
    tasks = known_tasks(model)
    if not tasks:
        st.info(
            "Interventions are compared with other stories of a task, and this model lacks words of every "
            "task. Choose another model, or run them from Python: lm2viz.causal."
        )
        st.stop()
    with st.sidebar:
        task = st.selectbox("Task of the sample", tasks, key="effect_task", bind=URL)
        seed = st.number_input("Seed of the sample", 0, 10_000, 0, key="effect_seed", bind=URL)
        n = st.segmented_control(
            "Stories in the sample", list(sizes), default=100, required=True, key="effect_n", bind=URL
        )
    return StorySample(task, n, int(seed))


def draw_story_effect(
    place: DeltaGenerator, model: str, story: ShownStory, edits: str, effect_sample: StorySample
) -> None:
    """Answers with and without the interventions, the control, and which slots changed."""
    st.subheader("On this story")
    effect_args = st.text_input(
        "Question", placeholder="the story's own questions", key=QUESTION, max_chars=200, bind=URL
    )
    if not effect_args and not any(q.n_statements for q in story.questions):
        effect_args = suggested_questions(story.sentences)[0]
    if unnamed := story.unnamed(effect_args, len(story.sentences)):
        st.caption(f"{as_text(unnamed)} is not mentioned in this story: the answer is a guess.")
    try:
        result = wait_for(
            "Reading the story again, edited",
            interventions.load_story_effect,
            *(model, story.sentences, story.questions, effect_args, edits),
            task=str(effect_sample.source),
            seed=effect_sample.seed,
        )
    except UserError as error:
        st.error(as_text(error))
        return
    action = action_in_words(interventions.read_edits(edits))
    draw_verdict(place, result.verdict(action), hint=f"On this story alone. {HINT}")
    share: Any = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        {
            "question": [a.question for a in result.answers],
            "after sentence": [a.step for a in result.answers],
            "ground truth": [a.truth for a in result.answers],
            "before": [a.before for a in result.answers],
            "p before": [a.p_before for a in result.answers],
            "edited": [a.after for a in result.answers],
            "p edited": [a.p_after for a in result.answers],
            "control": [a.control for a in result.answers],
            "p control": [a.p_control for a in result.answers],
        },
        hide_index=True,
        column_config={name: share for name in ("p before", "p edited", "p control")},
    )
    st.caption(
        "Before: without interventions. Control: the same interventions on other slots. p: the probability "
        "of the answer before, in each of the three runs."
    )
    draw_slot_changes(result.slot_changes)
    reference = StorySample(effect_sample.source, interventions.N_REFERENCE, effect_sample.seed)
    code = story_effect_code(edits, reference, () if effect_args else story.questions)
    asked = effect_args or result.answers[0].question
    draw_reproduce(of_story(model, story.sentences, len(story.sentences), asked, code))


def draw_slot_changes(slot_changes: Any) -> None:
    """How far each slot is from its content without interventions."""
    slots = changed_slots(slot_changes, N_SLOTS_SHOWN)
    if not slots:
        st.info("The interventions change no slot after any sentence of this story.")
        return
    draw(
        fraction_heatmap(
            slot_changes[slots],
            rows=[f"slot {n}" for n in slots],
            columns=[str(i + 1) for i in range(slot_changes.shape[1])],
            title="Change of slots, most changed first",
            unit="change",
            column_title="sentence",
        ),
        key="edited_slots",
        alt=f"Change of slots {', '.join(map(str, slots))} by sentence, largest {slot_changes.max():.2f}",
        caption="Edited minus unedited run, root mean square over the width; colours end at 1. Slots that "
        "were not edited change too, because later sentences read those that were.",
    )


def draw_sample_effect(place: DeltaGenerator, model: str, edits: str, effect_sample: StorySample) -> None:
    """The effect on many stories with its placebos, on request."""
    st.subheader(f"On {effect_sample.n} stories of {effect_sample.source}")
    measured = (model, edits, effect_sample.source, effect_sample.seed, effect_sample.n)
    if not measure_button(*measured, key="effect_button", hint=HINT):
        return
    message = f"Reading {effect_sample.n} stories of {effect_sample.source} several times"
    result = wait_for_finding(place, message, interventions.load_effect, model, edits, effect_sample)
    if result is None:
        return
    draw_finding(
        result,
        key="effect",
        caption="The effect is real where blue (the interventions) is away from 0 and from both placebos "
        "(ochre). Lines are 95 % intervals over stories.",
    )
    draw_reproduce(of_effect(model, effect_sample, edits))
