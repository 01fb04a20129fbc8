"""A user's labels: a template to fill in, the table that is uploaded, and what probes find with it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.loaders import labels
from app.panels.probes import draw_matrix
from app.panels.reproduce import draw_reproduce, of_probes
from app.widgets.pickers import as_text
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2viz.sample.story_sample import StorySample


def draw_user_labels(place: DeltaGenerator, model: str, sample: StorySample) -> None:
    """Upload a table of facts about the sample's stories, and probe for them."""
    st.markdown(
        "Look for something else in the slots: download the sentences, fill in **fact** and **value** where "
        "you know them (one row per sentence and fact), and open the file here. A fact needs at least two "
        "values and ten stories."
    )
    st.download_button(
        "Download sentences to label",
        labels.template_file(sample),
        file_name=f"labels-{sample.source}-{sample.n}.csv",
        mime="text/csv",
        key="label_template",
        icon=":material/download:",
        on_click="ignore",
    )
    user_labels = pick_labels(str(sample.source))
    table = labels.labels_for_task(user_labels, str(sample.source))
    facts = sorted(table["fact"].unique())
    st.markdown(f"{as_text(user_labels.name)}: {len(table)} labels of {len(facts)} facts.")
    result = wait_for("Probing", labels.probe_labels, user_labels, model, sample, tuple(facts))
    draw_verdict(place, result.verdict())
    draw_matrix(result, key="labels_matrix")
    draw_reproduce(of_probes(model, sample, labels=user_labels.name))


def pick_labels(task: str) -> labels.UserLabels:
    """The table this user opened; stops the page with a hint where there is none."""
    upload = st.file_uploader(
        "Labels: a CSV file with columns story, segment, fact, value",
        type="csv",
        max_upload_size=labels.MAX_MEGABYTES,
        key="labels_upload",
        on_change=labels.close_labels,
    )
    user_labels = labels.opened_labels()
    if upload is not None and user_labels is None:
        user_labels = labels.open_labels(upload.name, upload.getvalue(), task)
    if user_labels is None:
        st.info(
            "No labels yet. Only you will see yours, and they are forgotten when you close this browser tab."
        )
        st.stop()
    if upload is None:
        st.button("Close labels", icon=":material/close:", key="close_labels", on_click=labels.close_labels)
    return user_labels
