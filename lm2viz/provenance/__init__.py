"""Provenance: slots unrolled to the sentences and tokens that wrote them, and reads traced to sentences."""

from lm2viz.provenance.agreement import Agreement, agreement
from lm2viz.provenance.answers import Provenance, trace_answer
from lm2viz.provenance.slots import SlotSources, unroll
from lm2viz.provenance.traces import STORY_HOOKS

__all__ = ["STORY_HOOKS", "Agreement", "Provenance", "SlotSources", "agreement", "trace_answer", "unroll"]
