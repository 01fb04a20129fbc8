"""Text that Streamlit draws too faint to read easily: contrast of at least 4.5 to 1 (WCAG 2.2, AA)."""

import streamlit as st

# Attributes are named twice to weigh more than Streamlit's own classes.
CAPTION = "[data-testid=stCaptionContainer][data-testid=stCaptionContainer]"
LABEL = "[data-testid=stWidgetLabel][data-testid=stWidgetLabel]"
TAG = ".stMultiSelect span[title]"
MAIN_BUTTON = "[data-testid=stBaseButton-primary] :is(p,span)"
# Streamlit gives the axes of a chart a grey of 3.7 to 1; the page's own colour follows its theme.
AXES = (
    ".js-plotly-plot :is(.xaxislayer-above,.yaxislayer-above,.infolayer,.cbaxis,.legend,.scatterlayer) text"
)
# A picker that does not act now: out of sight, but still there, so that its value stays in the link.
UNUSED = "[class*=st-key-unused_]"
STYLE = (
    f"<style>{CAPTION},{CAPTION} :is(p,strong,li,a){{color:inherit}}{CAPTION}{{opacity:.78}}"
    f"{AXES}{{fill:currentColor!important;fill-opacity:.85}}"
    f"{UNUSED}{{display:none}}"
    f"{LABEL},{LABEL} p{{color:inherit}}"  # also of pickers that are switched off
    f"@media (prefers-color-scheme:dark){{{TAG},{MAIN_BUTTON}{{color:#0b1a24}}}}</style>"  # on light blue
)


def raise_contrast() -> None:
    """Captions, labels and chosen values of every page."""
    st.html(STYLE)
