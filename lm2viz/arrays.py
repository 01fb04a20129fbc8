"""The type of what is computed here: arrays of floats, of any shape and precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
