"""Long measurements run when a button is pressed, and again when a link to them is opened."""

import hashlib

import streamlit as st

MEASURED = "measured"  # URL key: digest of the measurement last asked for; bound to no widget


def measure_button(*what: object, key: str, hint: str) -> bool:
    """Whether the page should show its measurement; ``hint`` says what pressing the button does.

    what : all that decides the result; after a change of any, the button must be pressed again
    """
    digest = hashlib.sha256("/".join(map(str, what)).encode()).hexdigest()[:12]
    if st.button("Measure", icon=":material/science:", type="primary", key=key):
        st.query_params[MEASURED] = digest
    is_wanted = st.query_params.get(MEASURED) == digest
    if not is_wanted:
        st.info(hint)
    return is_wanted
