"""A result measured on many stories: its finding on top of the page, its figure, every number folded up."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from app.widgets.pickers import as_text, draw
from app.widgets.verdict import draw_verdict
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2viz.estimates import Result


class Finding(Result, Protocol):
    """A result that says what was found in a sentence."""

    @property
    def verdict(self) -> str:
        """The finding in a sentence."""


P = ParamSpec("P")
R = TypeVar("R", bound=Finding)


def wait_for_finding(
    place: DeltaGenerator, message: str, load: Callable[P, R], *args: P.args, **kwargs: P.kwargs
) -> R | None:
    """What ``load`` returns, its verdict in ``place``; None after an error of the user, which is shown."""
    try:
        result = wait_for(message, load, *args, **kwargs)
    except UserError as error:
        st.error(as_text(error))
        return None
    draw_verdict(place, result.verdict)
    return result


def draw_finding(result: Result, *, key: str, caption: str) -> None:
    """The figure of a result with its caption, and every number of its summary, folded up."""
    draw(result.figure(), key=key, alt=result.summary(), caption=caption)
    fold_numbers(result)


def fold_numbers(result: Result) -> None:
    """The summary of a result, folded up."""
    with st.expander("Every number with its control"):
        st.text(result.summary())
