"""Labels of one's own: a template to fill in, the table that comes back, and what probes find with it."""

import streamlit as st

from app.loaders import labels
from app.panels.probes import draw_matrix
from app.widgets.pickers import as_text
from app.widgets.waiting import wait_for


def draw_own(model: str, task: str, n: int) -> None:
    """Upload a table of facts about the sample's stories, and probe for them."""
    st.markdown(
        "Is there something in the slots that nobody told us to look for? Download the sentences, fill in "
        "**fact** and **value** where you know them (one row a sentence and fact), and open the file here. "
        "A fact needs two values and ten stories."
    )
    st.download_button(
        "Sentences to label",
        labels.template_file(model, task, n),
        file_name=f"labels-{task}-{n}.csv",
        mime="text/csv",
        key="label_template",
        icon=":material/download:",
        on_click="ignore",
    )
    own = pick_labels(task)
    table = labels.fitting_labels(own, task)
    facts = sorted(table["fact"].unique())
    st.markdown(f"{as_text(own.name)}: {len(table)} labels of {len(facts)} facts.")
    found = wait_for("Probing", labels.find_facts, own, model, task, n, tuple(facts))
    draw_matrix(found, key="own_matrix")


def pick_labels(task: str) -> labels.OwnLabels:
    """The table this visitor opened; stops the page with a hint where there is none."""
    upload = st.file_uploader(
        "Labels: a CSV file with columns story, segment, fact, value",
        type="csv",
        max_upload_size=labels.MAX_MEGABYTES,
        key="labels_upload",
        on_change=labels.close_labels,
    )
    own = labels.opened_labels()
    if upload is not None and own is None:
        own = labels.open_labels(upload.name, upload.getvalue(), task)
    if own is None:
        st.info(
            "No labels yet. Only you will see yours; they are forgotten when you close the browser's tab."
        )
        st.stop()
    if upload is None:
        st.button(
            "Close these labels", icon=":material/close:", key="close_labels", on_click=labels.close_labels
        )
    return own
