"""Text that Streamlit draws too faint to read easily: contrast of at least 4.5 to 1 (WCAG 2.2, AA)."""

import streamlit as st

# Attributes are named twice to weigh more than Streamlit's own classes.
CAPTION = "[data-testid=stCaptionContainer][data-testid=stCaptionContainer]"
LABEL = "[data-testid=stWidgetLabel][data-testid=stWidgetLabel]"
TAG = ".stMultiSelect span[title]"
STYLE = (
    f"<style>{CAPTION},{CAPTION} :is(p,strong,li,a){{color:inherit}}{CAPTION}{{opacity:.78}}"
    f"{LABEL},{LABEL} p{{color:inherit}}"  # also of pickers that are switched off
    f"@media (prefers-color-scheme:dark){{{TAG}{{color:#0b1a24}}}}</style>"  # on light blue
)


def raise_contrast() -> None:
    """Captions, labels and chosen values of every page."""
    st.html(STYLE)
