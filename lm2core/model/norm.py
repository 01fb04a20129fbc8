"""Llama's norm of a stream."""

from torch import nn


class RMSNorm(nn.RMSNorm):
    """Llama's root-mean-square norm, but fused; transformers initialises classes of this name to one."""
