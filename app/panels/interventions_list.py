"""The list of interventions: built one by one, uploaded, downloaded, kept in the link."""

import json
from dataclasses import MISSING, fields
from typing import Any

import streamlit as st

from app.loaders import interventions
from app.state import QUESTION
from app.widgets.erase import EDITS
from app.widgets.pickers import as_text
from app.widgets.shown_story import ShownStory
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.causal import Intervention, from_json, to_json
from lm2viz.causal.clamped_gates import GATES
from lm2viz.causal.describe import describe_intervention, reach
from lm2viz.causal.interventions import KINDS
from lm2viz.stage.page import suggested_questions

LONG_LINK = 1_500  # characters of JSON; a longer list stays out of the link
PICKED = ("gate", "value", "slots", "step", "from_step", "seed", "other", "block")  # in this order


def pick_edits(model: str, story: ShownStory, trace: Trace) -> str:
    """The list as JSON; by default one that changes an answer of this story."""
    st.subheader("Interventions")
    text, edits = _current(model, story)
    for i, edit in enumerate(edits):
        label_column, remove = st.columns([5, 1], vertical_alignment="center")
        label_column.text(f"{i + 1}.  {describe_intervention(edit)}")
        rest = edits[:i] + edits[i + 1 :]
        if rest:
            remove.button("Remove", key=f"remove_{i}", icon=":material/close:", on_click=_keep, args=(rest,))
    st.caption(f"{reach(edits)} Several are applied in order.")
    add, files = st.columns([3, 2], gap="large")
    with add, st.expander("Add an intervention", icon=":material/add:"):
        draw_builder(trace, edits)
    with files, st.expander("Save or open", icon=":material/save:"):
        st.download_button(
            "Download as JSON", text, "interventions.json", "application/json", on_click="ignore"
        )
        draw_upload()
    return text


def _current(model: str, story: ShownStory) -> tuple[str, list[Intervention]]:
    """The list in the session or the link, as JSON and parsed; else the default of this model and story."""
    if text := st.query_params.get(EDITS) or st.session_state.get(EDITS):
        try:
            edits = interventions.read_edits(text)
        except UserError as error:
            st.error(f"Cannot use the interventions in this link: {as_text(error)}")
        else:
            _keep(edits)
            return to_json(edits), edits
    n_sentences = len(story.sentences)
    suggested = story.suggestion(n_sentences)
    asked = st.session_state.get(QUESTION) or st.query_params.get(QUESTION)
    question, step = asked or suggested_questions(story.sentences)[0], n_sentences
    if suggested and not asked:
        question, step = suggested.text, suggested.n_statements
    try:
        text = interventions.default_edits(model, story.sentences, question, step)
    except UserError:  # the model does not know the words of that question
        text = interventions.FALLBACK
    return text, interventions.read_edits(text)


def _keep(edits: list[Intervention]) -> None:
    """Store this list, in the link too."""
    text = to_json(edits)
    st.session_state[EDITS] = text
    if len(text) <= LONG_LINK:
        st.query_params[EDITS] = text
    else:
        st.query_params.pop(EDITS, None)


def draw_builder(trace: Trace, edits: list[Intervention]) -> None:
    """Pickers for one intervention, by kind."""
    kinds = [kind for kind, cls in KINDS.items() if not cls.long_fields]
    kind = st.selectbox("Kind", kinds, key="edit_kind", help="To add an erase, upload it as JSON.")
    st.caption(f"{kind}: {KINDS[kind].meaning}.")
    is_needed = {field.name: field.default is MISSING for field in fields(KINDS[kind])}
    values = {name: _field(name, trace, is_needed[name]) for name in PICKED if name in is_needed}
    values = {name: value for name, value in values.items() if value is not None}
    add, instead = st.columns(2)
    to_list = add.button("Add to the list", icon=":material/add:", key="edit_add", width="stretch")
    alone = instead.button(
        "Replace the list", icon=":material/swap_horiz:", key="edit_alone", width="stretch"
    )
    if to_list or alone:
        try:
            (new,) = from_json(json.dumps([{"kind": kind, **values}]))
            new_edits = [new] if alone else [*edits, new]
            interventions.read_edits(to_json(new_edits))
        except UserError as error:
            st.error(as_text(error))
            return
        _keep(new_edits)
        st.rerun()


def _field(name: str, trace: Trace, is_needed: bool) -> Any:
    """The picker of one value; None means all of them, and is omitted."""
    n_slots = trace.select("hook_bank", story=0, segment=0).shape[0]
    key = f"edit_{name}"
    if name == "slots":
        return st.multiselect("Slots", list(range(n_slots)), key=key) or None
    if name == "gate":
        return st.segmented_control("Gate", list(GATES), default="in", required=True, key=key)
    if name == "value":
        return st.slider(
            "Value", 0.0, 1.0, 0.0, 0.05, key=key, help="1 is open. An open forget gate keeps everything."
        )
    if name == "block":
        return st.segmented_control(
            "Block", list(trace.blocks), key=key, help="None chosen means every block."
        )
    if name in ("seed", "other"):
        label = "Seed" if name == "seed" else "Number of the other story"
        return int(st.number_input(label, 0, 10_000, 0, key=key))
    lowest = 0 if name == "from_step" else 1
    step = st.number_input(
        "After sentence", lowest, None, lowest if is_needed else None, key=f"edit_{name}_{is_needed}",
        placeholder="every sentence",
    )  # fmt: skip
    return None if step is None else int(step)


def draw_upload() -> None:
    """Open a saved list; one line when the file is not one."""
    upload = st.file_uploader("Open a JSON file", type="json", key="edit_upload")
    if upload is not None and st.session_state.get("edit_opened") != upload.file_id:
        try:
            edits = interventions.read_edits(upload.getvalue())
        except UserError as error:
            st.error(as_text(error))
            return
        st.session_state["edit_opened"] = upload.file_id  # once: later changes of the list stay
        _keep(edits)
        st.rerun()
