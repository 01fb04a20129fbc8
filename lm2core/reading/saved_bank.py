"""A bank saved on its own, to be asked and read on from later: one safetensors file.

Its metadata say which model it belongs to and what was done to it.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm2core.errors import UserError
from lm2core.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor

    from lm2core.reading.loaded_model import LoadedModel

BANK = "bank"  # the name of the array; also the key of the metadata


def save_bank(
    lm: "LoadedModel", bank: "Tensor", path: str | Path, *, info: Mapping[str, Any] | None = None
) -> None:
    """Save the bank (1,N,D) of a model.

    info : JSON values to keep with it

    Raises
    ------
    UserError
        For a bank of another shape than the model's, or with values that are not finite; for a path that
        cannot be written.
    """
    from safetensors.torch import save_file

    from lm2core.traces.fingerprint import fingerprint

    check_bank(lm, bank)
    about = {"model": lm.name, "weights": fingerprint(lm.model), "info": dict(info or {})}
    with atomic_path(path) as temporary:
        save_file({BANK: bank.detach().cpu().contiguous()}, temporary, metadata={BANK: json.dumps(about)})


def load_bank(lm: "LoadedModel", path: str | Path) -> "Tensor":
    """The bank (1,N,D) of a file of ``save_bank``, for ``ask``, ``ranked_words`` and ``memory_after``.

    Raises
    ------
    UserError
        When the file cannot be read or is no saved bank; for a bank of another model, with other weights or
        of another shape; with values that are not finite.
    """
    from safetensors import SafetensorError, safe_open

    from lm2core.traces.fingerprint import fingerprint

    try:
        with safe_open(path, "pt") as file:
            about = json.loads((file.metadata() or {}).get(BANK, "null"))
            bank = file.get_tensor(BANK) if about else None
    except (OSError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or "it is no safetensors file"
        raise UserError(f"cannot open the bank {path}: {reason}") from None
    if bank is None:
        raise UserError(f"{path} is no saved bank; 'lm2 edit-memory --out' writes one")
    if about["weights"] != (own := fingerprint(lm.model)):
        raise UserError(
            f"{path} is a bank of {about['model']} (weights {about['weights']}), not of {lm.name} ({own}); "
            "ask the model that it belongs to"
        )
    check_bank(lm, bank)
    return bank.to(device=lm.model.device, dtype=lm.model.dtype)


def check_bank(lm: "LoadedModel", bank: "Tensor") -> None:
    """Refuse a bank of another shape than (1,N,D), or with values that are not finite."""
    config = lm.model.config
    expected = (1, config.memory_slots, config.bank_width)
    if tuple(bank.shape) != expected:
        raise UserError(f"a bank of shape {tuple(bank.shape)}; {lm.name} has banks of shape {expected}")
    check_finite(bank)


def check_finite(bank: "Tensor") -> None:
    """Refuse a bank, or several, with values that are not finite: a UserError."""
    if not bank.isfinite().all():
        raise UserError(
            f"{int((~bank.isfinite()).sum())} of {bank.numel()} values of the bank are NaN or infinite; "
            "give a bank whose values are finite"
        )
