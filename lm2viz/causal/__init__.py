"""Edits of the memory and what they change in answers: the only part of lm2viz that runs a model."""

from lm2viz.causal.effects import Effect, effect
from lm2viz.causal.erase import Eraser, leace, mean_projection
from lm2viz.causal.interventions import (
    ClampGate,
    Erase,
    Freeze,
    Intervention,
    Mean,
    Resample,
    ResetBank,
    Swap,
    Zero,
)
from lm2viz.causal.running import Run, run
from lm2viz.causal.saved import from_json, to_json

__all__ = [
    "ClampGate",
    "Effect",
    "Erase",
    "Eraser",
    "Freeze",
    "Intervention",
    "Mean",
    "Resample",
    "ResetBank",
    "Run",
    "Swap",
    "Zero",
    "effect",
    "from_json",
    "leace",
    "mean_projection",
    "run",
    "to_json",
]
