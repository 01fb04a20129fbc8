"""Interventions in words: what they do, and how far they reach."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from lm2viz.causal.editing import Intervention


def describe_intervention(edit: Intervention) -> str:
    """One line about an intervention: its kind and its values."""
    names = [field.name for field in fields(edit) if field.name not in edit.long_fields]
    values = {name: getattr(edit, name) for name in names}
    text = [f"{name} {_value_text(name, value)}" for name, value in values.items()]
    return f"{edit.kind}: {', '.join(text)}"


def _value_text(name: str, value: Any) -> str:
    if value is None:
        return {"step": "every one", "slots": "all", "block": "every one"}.get(name, "none")
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def reach(interventions: Sequence[Intervention]) -> str:
    """Whether the edits are still there in later sentences."""
    if any(edit.propagates for edit in interventions):
        return "Propagates: what was edited is what later sentences read, and it reaches later answers."
    return "Does not propagate: it acts on the question's words only; the bank stays as it was."
