"""Linear probes: which slot holds which fact, compared with what a probe finds where there is nothing."""

from lm2viz.probes.codelength import CodeLength, codelength
from lm2viz.probes.decay import AgeBin, Decay, decay, decay_of
from lm2viz.probes.fitted import FittedProbe, fit_probe
from lm2viz.probes.learning import LearningCurve, learning_curve
from lm2viz.probes.matrix import SlotFacts, probe

__all__ = [
    "AgeBin",
    "CodeLength",
    "Decay",
    "FittedProbe",
    "LearningCurve",
    "SlotFacts",
    "codelength",
    "decay",
    "decay_of",
    "fit_probe",
    "learning_curve",
    "probe",
]
