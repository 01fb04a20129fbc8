"""Linear maps between the residual stream and a memory of another width.

With them the memory is a narrow path beside the backbone: it sees the streams of chosen blocks, and what it
reads joins the stream of its own block. The equations of memory.py hold unchanged in its width.
Axes: see memory.py, plus W width of the memory.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lm2core.model.config import LM2Config


class StreamMaps(nn.Module):
    """The map of one or several streams (B,T,D) into the memory (B,T,W), and the map back."""

    def __init__(self, config: LM2Config) -> None:
        super().__init__()
        assert config.memory_width is not None
        n_streams = 1 if config.memory_taps is None else len(config.memory_taps)
        self.sees_taps = config.memory_taps is not None
        # The bias matters: most of a trained Llama's stream is the same vector for every token.
        self.into = nn.Linear(n_streams * config.hidden_size, config.memory_width)
        self.back = nn.Linear(config.memory_width, config.hidden_size, bias=False)

    def seen(self, mid_BTD: Tensor, taps: Sequence[Tensor]) -> Tensor:
        """What the memory sees, (B,T,W): of the ``taps``, or of the block's stream after self-attention."""
        return self.into(torch.cat(list(taps), dim=-1) if self.sees_taps else mid_BTD)
