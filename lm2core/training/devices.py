"""What a run needs of the machine, refused before it starts; and the GPUs whose data sheets are known."""

import os
import re
from dataclasses import dataclass

import psutil  # type: ignore[import-untyped]
import torch

from lm2core.errors import UserError
from lm2core.model.sizes import BYTES_TRAINED, ModelSize

BYTES_OF_TRAINING_ALONE = 12  # of BYTES_TRAINED: a frozen parameter has only its weight
REACHED = 0.8  # of the matrix peak, by large bf16 products: 790 of the H200's 989 TFLOP/s
REACHED_BYTES = 0.85  # of the bandwidth, by long elementwise kernels


@dataclass(frozen=True, slots=True)
class Chip:
    """Dense bf16 matrix peak in FLOP/s, and memory bandwidth in bytes/s."""

    flops_per_s: float
    bytes_per_s: float

    def seconds(self, flops: float, n_bytes: float) -> float:
        """Time for matrix products and memory traffic, one after the other, at what kernels reach of both."""
        return flops / (REACHED * self.flops_per_s) + n_bytes / (REACHED_BYTES * self.bytes_per_s)


CHIPS = {
    "H100 PCIe": Chip(756e12, 2.0e12),
    "H100": Chip(989e12, 3.35e12),
    "H200": Chip(989e12, 4.8e12),
    "A100": Chip(312e12, 2.0e12),
    "L4": Chip(121e12, 0.3e12),
    "RTX 4090": Chip(165e12, 1.0e12),
}


def chip_of(name: str) -> Chip | None:
    """The chip of a device's name; None if it is not known."""
    return next((chip for part, chip in CHIPS.items() if re.search(rf"\b{part}\b", name)), None)


def this_chip() -> Chip | None:
    """The chip that models are trained on here; None without a known GPU."""
    return chip_of(torch.cuda.get_device_name()) if torch.cuda.is_available() else None


def check_bf16() -> None:
    """Refuse mixed precision on a GPU without bfloat16: a UserError."""
    if torch.cuda.is_available() and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError(
            f"{torch.cuda.get_device_name()} has no bfloat16, which --bf16 needs (Ampere and later "
            "have it); train with --no-bf16"
        )


def check_memory(name: str, size: ModelSize, *, only_memory_trained: bool = False) -> None:
    """Refuse a model whose weights, gradients and AdamW state do not fit: a UserError with what is missing.

    Activations come on top, so a model that passes may still be too large. FSDP shares all of them out.
    """
    n_processes = int(os.environ.get("WORLD_SIZE", "1"))
    n_shards = n_processes if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true" else 1
    n_frozen = size.n_backbone if only_memory_trained else 0
    needed = (BYTES_TRAINED * size.n_parameters - BYTES_OF_TRAINING_ALONE * n_frozen) / n_shards
    free, where = _free_bytes()
    if needed > free:
        raise UserError(
            f"{name} has {size.n_parameters / 1e9:.2f} billion parameters and needs {needed / 1e9:.1f} GB "
            f"for weights, gradients and AdamW; {where} has {free / 1e9:.1f} GB free, so "
            f"{(needed - free) / 1e9:.1f} GB are missing; choose a smaller model, or share it out over "
            "several GPUs with FSDP (docs/TRAINING.md)"
        )


def _free_bytes() -> tuple[int, str]:
    """Free memory of what models are trained on here, and its name."""
    if torch.cuda.is_available():
        mine = int(os.environ.get("LOCAL_RANK", "0"))
        return torch.cuda.mem_get_info(mine)[0], torch.cuda.get_device_name(mine)
    return psutil.virtual_memory().available, "this machine"
