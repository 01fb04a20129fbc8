"""The array type of lm2viz: floats of any shape and precision."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
