"""Parse and format sizes in bytes, such as "1.5 GB"."""

import re

from lm2core.errors import UserError

_UNITS = {"KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_bytes(text: str) -> int:
    """Bytes of a size such as "512MB" or "1.5 GB" (decimal units).

    Raises
    ------
    UserError
        When ``text`` is not a number followed by KB, MB or GB.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(KB|MB|GB)\s*", text, re.IGNORECASE)
    if match is None:
        raise UserError(f"budget {text!r} is not a size; write a number and KB, MB or GB, e.g. 512MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def format_bytes(n_bytes: int) -> str:
    """A size for people to read, in KB or MB."""
    return f"{n_bytes / 1e6:.1f} MB" if n_bytes >= 1e5 else f"{n_bytes / 1e3:.1f} KB"
