"""The map of slots, and the story behind one of its points."""

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import slots
from app.loaders.stories import generate_story
from app.panels.reproduce import draw_reproduce, of_map
from app.state import SLOT, STEP, URL, clamp_state
from app.widgets.pickers import GENERATED, draw, pick_step
from app.widgets.shown_story import ShownStory
from app.widgets.tables import readable
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2viz.sample.story_sample import StorySample
from lm2viz.stats import SlotMap
from lm2viz.stats.pca import SLOT as WHICH_SLOT
from lm2viz.stats.places import first_plotted_story, is_plotted, point_at

PLANE, SPACE = "2-D", "3-D"
MOST_SLOTS = 4  # on one map; more would hide each other
MAP_SLOTS, FACT, CHART = "map_slots", "fact", "slot_map"


@dataclass(frozen=True)
class MapSettings:
    """What the map shows."""

    slots: tuple[int, ...]
    fact: str
    axes: str


def pick_map(model: str, sample: StorySample) -> MapSettings:
    """Choose slots, the fact that colours them, and the axes."""
    suggested = suggest_slot(model, sample)
    facts = [*sample.fact_names, WHICH_SLOT]
    all_slots = list(range(slots.n_slots(model)))
    _drop_unknown(MAP_SLOTS, all_slots)
    chosen = st.multiselect(
        "Slots on the map",
        all_slots,
        default=[suggested[0] if suggested else 0],
        max_selections=MOST_SLOTS,
        key=MAP_SLOTS,
        bind=URL,
    )
    fact = st.selectbox(
        "Colour by",
        facts,
        index=facts.index(suggested[1]) if suggested and suggested[1] in facts else 0,
        key=FACT,
        bind=URL,
        help="What is true at that point of the story; 'slot' distinguishes several slots.",
    )
    axes = st.segmented_control(
        "Axes", [PLANE, SPACE], default=PLANE, required=True, key="map_axes", bind=URL
    )
    return MapSettings(tuple(sorted(chosen)), fact, axes)


def suggest_slot(model: str, sample: StorySample) -> tuple[int, str] | None:
    """Slot and fact to look at first; None where nothing is known."""
    return wait_for("Choosing a first slot", slots.suggest_slot, model, str(sample.source))


def _drop_unknown(key: str, options: list[int]) -> None:
    """Remove from a list in the state what is no longer an option, e.g. after a change of model."""
    value = st.session_state.get(key)
    if value:
        st.session_state[key] = [one for one in value if one in options]


def draw_map(place: DeltaGenerator, model: str, sample: StorySample, chosen: MapSettings) -> SlotMap:
    """Every bank of the held-out stories as a point; in two dimensions a click opens its story."""
    message = f"Reading {sample.describe()} with this model and an untrained one"
    result = wait_for(message, slots.load_map, model, sample, chosen.fact, chosen.slots)
    summary = result.summary()
    draw_verdict(place, result.verdict)
    about = (
        "Points of one colour together, apart from the others: the slot holds the fact. Each point is a "
        "slot's content after a sentence, on components fitted to other stories. Right: what the components "
        "explain."
    )
    if chosen.axes == SPACE:
        draw(
            result.figure_3d(),
            key="slot_map_3d",
            alt=summary,
            caption=f"{about} Drag to rotate; points can be clicked in {PLANE}.",
        )
    else:
        draw(
            result.figure().update_layout(clickmode="event+select", dragmode=False),
            key=CHART,
            alt=summary,
            caption=f"{about} **Click a point** to open its story at that step.",
            on_click=lambda: _open_clicked(result),
        )
    with st.expander("All numbers with their 95 % intervals"):
        st.text(f"{result.about}\n{result.finding}")
        st.dataframe(readable(result.table()), hide_index=True, width="stretch")
    n_on_map = result.n_fit_stories + result.plotted.rows["story"].nunique()  # a map takes so many points
    draw_reproduce(of_map(model, replace(sample, n=n_on_map), chosen.fact, chosen.slots))
    return result


def _open_clicked(result: SlotMap) -> None:
    """Put the story, the step and the slot of a clicked point into the state."""
    points = st.session_state[CHART]["selection"]["points"]
    place = point_at(result, points[0]["x"], points[0]["y"]) if points else None
    if place is not None:
        st.session_state["seed"] = place.story
        st.session_state[STEP] = place.step
        st.session_state[SLOT] = place.slot


def draw_story(model: str, sample: StorySample, result: SlotMap, slot: int) -> None:
    """One story: its sentences, the path of the slot through them, and a link to the Story page."""
    st.subheader("The story of a point")
    picker, _ = st.columns([3, 5], gap="large")
    with picker:
        seed = pick_seed(result)
    generated = generate_story(str(sample.source), seed)
    story = ShownStory(generated.sentences, generated.questions)
    clamp_state(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences))
    left, right = st.columns([3, 5], gap="large")
    with left:
        with st.container(border=True):
            st.text("\n".join(story.lines_around(step)))
        st.caption("✓ read   ▶ just read   · not read yet")
        st.page_link(
            "views/story.py",
            label="Open on the Story page",
            icon=":material/menu_book:",
            query_params={
                "model": model,
                "source": GENERATED,
                "task": str(sample.source),
                "seed": str(seed),
                STEP: str(step),
                SLOT: str(slot),
            },
        )
    with right:
        draw_path(result, seed, slot)


def pick_seed(result: SlotMap) -> int:
    """Choose a story by its seed: the one that was clicked, or any other."""
    return int(
        st.number_input(
            "Seed",
            0,
            10_000,
            first_plotted_story(result),
            key="seed",
            help="The same seed always gives the same story.",
            bind=URL,
        )
    )


def draw_path(result: SlotMap, seed: int, slot: int) -> None:
    """The path of the slot through the story, where both are on the map."""
    if slot not in result.slots:
        st.info(f"Slot {slot} is not on the map. Add it under **Slots on the map** to see its path.")
    elif not is_plotted(result, seed):
        st.info(
            f"Story {seed} is not on the map: it was used to fit it, or is not in the sample. Click a point."
        )
    else:
        draw(
            result.path(seed, slot),
            key="path",
            alt=f"Path of slot {slot} through story {seed} on the map, numbered by sentences read",
            caption="A long step: the sentence changed the slot. Numbers in one place: it kept what it held. "
            "Numbers are sentences read.",
        )
