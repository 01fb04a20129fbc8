"""Two values of JSON compared, numbers within a tolerance."""

from typing import Any


def differences(one: Any, other: Any, tolerance: float, place: str = "") -> list[tuple[str, Any, Any]]:
    """Where two values differ, as (place, one, other); numbers by more than ``tolerance``."""
    if isinstance(one, dict) and isinstance(other, dict):
        assert one.keys() == other.keys(), place
        return [d for key in one for d in differences(one[key], other[key], tolerance, f"{place}.{key}")]
    if isinstance(one, list) and isinstance(other, list):
        assert len(one) == len(other), place
        pairs = enumerate(zip(one, other, strict=True))
        return [d for i, (a, b) in pairs for d in differences(a, b, tolerance, f"{place}[{i}]")]
    if isinstance(one, float) and isinstance(other, float | int):
        return [(place, one, other)] if abs(one - other) > tolerance else []
    return [] if one == other else [(place, one, other)]
