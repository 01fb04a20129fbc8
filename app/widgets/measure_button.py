"""What takes long is measured when a button asks for it, and again when a link does."""

import hashlib

import streamlit as st

MEASURED = "measured"  # URL key: a digest of what the button was last pressed for; bound to no widget


def measure_button(*what: object, key: str, hint: str) -> bool:
    """Whether this page, as it stands, is to show its measurement; ``hint`` says what pressing will do.

    what : all that decides the result; when any of it changes, the button has to be pressed again
    """
    digest = hashlib.sha256("/".join(map(str, what)).encode()).hexdigest()[:12]
    if st.button("Measure", icon=":material/science:", type="primary", key=key):
        st.query_params[MEASURED] = digest
    is_wanted = st.query_params.get(MEASURED) == digest
    if not is_wanted:
        st.info(hint)
    return is_wanted
