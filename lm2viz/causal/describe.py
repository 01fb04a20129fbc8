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


def action_in_words(interventions: Sequence[Intervention]) -> str:
    """What the edits do, as the subject of a sentence: "Erasing slot 13"."""
    if len(interventions) > 1:
        return f"Making these {len(interventions)} edits"
    (edit,) = interventions
    slots = slots_in_words(sorted(edit.edited_slots()))
    if edit.kind == "clamp_gate":
        gate = {"in": "input", "forget": "forget", "out": "output"}[edit.gate]  # type: ignore[attr-defined]
        return f"Holding the {gate} gate{f' of {slots}' if slots else ''} at {edit.value:g}"  # type: ignore[attr-defined]
    return {
        "zero": f"Erasing {slots}",
        "mean": f"Replacing {slots} by the mean over other stories",
        "resample": f"Replacing {slots} by the content of random other stories",
        "swap": f"Replacing {slots} by the content of another story",
        "erase": f"Removing directions from {slots}",
        "freeze": f"Freezing {slots}",
        "reset_bank": "Resetting the bank",
        "block_read": f"Hiding {slots} from the question",
    }[edit.kind]


def slots_in_words(slots: Sequence[int]) -> str:
    """ "slot 3", "slots 3 and 5"; empty for none."""
    *first, last = map(str, slots) if slots else [""]
    return f"slots {', '.join(first)} and {last}" if first else f"slot {last}" if last else ""


def _value_text(name: str, value: Any) -> str:
    if value is None:
        return {"step": "every one", "slots": "all", "block": "every one"}.get(name, "none")
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def reach(interventions: Sequence[Intervention]) -> str:
    """Whether the edits are still there in later sentences."""
    if any(edit.propagates for edit in interventions):
        return "Propagates: what was edited is what later sentences read, and it reaches later answers."
    return "Does not propagate: it acts on the question's words only; the bank stays as it was."
