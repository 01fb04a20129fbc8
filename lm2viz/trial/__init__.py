"""Methods on trial: models whose slots are known by construction, and what each method says of them."""

from lm2viz.trial.family import Case, family
from lm2viz.trial.methods import METHODS, Method
from lm2viz.trial.run import Trial, trial

__all__ = ["METHODS", "Case", "Method", "Trial", "family", "trial"]
