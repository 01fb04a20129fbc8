"""Linear probes: which slot holds which fact of the world, and is that more than a probe finds anywhere?"""

from lm2viz.probes.codelength import CodeLength, codelength
from lm2viz.probes.decay import AgeBin, Decay, decay
from lm2viz.probes.learning import LearningCurve, learning_curve
from lm2viz.probes.matrix import SlotFacts, probe

__all__ = [
    "AgeBin",
    "CodeLength",
    "Decay",
    "LearningCurve",
    "SlotFacts",
    "codelength",
    "decay",
    "learning_curve",
    "probe",
]
