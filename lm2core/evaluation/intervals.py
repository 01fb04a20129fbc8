"""95 % intervals. SciPy is imported when one is computed: it takes longer than all of `lm2 --help`."""

from collections.abc import Sequence
from statistics import stdev

CONFIDENCE = 0.95


def wilson_interval(n_right: int, n: int) -> tuple[float, float]:
    """95 % interval of a share ``n_right / n`` (Wilson 1927); stays inside [0, 1]."""
    from scipy.stats import binomtest

    interval = binomtest(n_right, n).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mean_half_width(values: Sequence[float]) -> float:
    """Half of the interval of the mean of at least two values (Student's t)."""
    from scipy.stats import t

    return float(t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)) * stdev(values) / len(values) ** 0.5
