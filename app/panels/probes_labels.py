"""Labels of one's own: a template to fill in, the table that comes back, and what probes find with it."""

import streamlit as st

from app.loaders import labels
from app.panels.probes import draw_matrix
from app.panels.reproduce import draw_reproduce, of_probes
from app.widgets.pickers import as_text
from app.widgets.waiting import wait_for
from lm2viz.sample.story_sample import StorySample


def draw_user_labels(model: str, sample: StorySample) -> None:
    """Upload a table of facts about the sample's stories, and probe for them."""
    st.markdown(
        "Is there something in the slots that nobody told us to look for? Download the sentences, fill in "
        "**fact** and **value** where you know them (one row a sentence and fact), and open the file here. "
        "A fact needs two values and ten stories."
    )
    st.download_button(
        "Sentences to label",
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
    draw_matrix(result, key="own_matrix")
    draw_reproduce(of_probes(model, sample, labels=user_labels.name))


def pick_labels(task: str) -> labels.UserLabels:
    """The table this visitor opened; stops the page with a hint where there is none."""
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
            "No labels yet. Only you will see yours; they are forgotten when you close the browser's tab."
        )
        st.stop()
    if upload is None:
        st.button(
            "Close these labels", icon=":material/close:", key="close_labels", on_click=labels.close_labels
        )
    return user_labels
