"""Words of stories and labels in figures: what plotly would take for markup is shown as it is."""

from collections.abc import Iterable
from html import escape


def plain(texts: Iterable[str]) -> list[str]:
    """The texts with ``<``, ``>`` and ``&`` written out; plotly would draw a tag as bold or as a link."""
    return [escape(text, quote=False) for text in texts]
