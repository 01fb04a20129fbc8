"""Slots: what writes and reads them, which fact explains them, and which slot of another model matches."""

from lm2viz.slots.contexts import Strength, TopContexts, top_contexts
from lm2viz.slots.emergence import Emergence, emergence
from lm2viz.slots.explanations import Explanations, SlotExplanation, explain_slots
from lm2viz.slots.matching import Matching, Pair, match_slots
from lm2viz.slots.simulation import Explainer, Explanation
from lm2viz.slots.strengths import Context

__all__ = [
    "Emergence",
    "Context",
    "Explainer",
    "Explanation",
    "Explanations",
    "Matching",
    "Pair",
    "SlotExplanation",
    "Strength",
    "TopContexts",
    "emergence",
    "explain_slots",
    "match_slots",
    "top_contexts",
]
