"""Interventions as JSON, to keep and to replay them."""

import json
from collections.abc import Sequence
from dataclasses import MISSING, asdict, fields
from typing import Any

from lm2core.errors import UserError
from lm2viz.causal.editing import Intervention
from lm2viz.causal.interventions import KINDS


def to_json(interventions: Sequence[Intervention]) -> str:
    """The list as JSON text, which ``from_json`` reads."""
    return json.dumps([{"kind": edit.kind, **asdict(edit)} for edit in interventions])


def from_json(text: str) -> list[Intervention]:
    """The interventions of a JSON list.

    Raises
    ------
    UserError
        For text that is no list of objects, an unknown kind, unknown or missing fields, or a wrong value.
    """
    try:
        entries = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"interventions are not JSON ({error}); write them with to_json") from None
    except RecursionError:
        raise UserError("interventions are nested too deeply; write them with to_json") from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UserError('interventions must be a JSON list of objects, e.g. [{"kind": "zero", "slots": [3]}]')
    return [_from_entry(entry) for entry in entries]


def _from_entry(entry: dict[str, Any]) -> Intervention:
    kind = entry.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise UserError(f"no intervention of kind {kind!r}; known: {', '.join(KINDS)}")
    values = {name: _as_tuples(value) for name, value in entry.items() if name != "kind"}
    known = {field.name: field.default is MISSING for field in fields(KINDS[kind])}
    unknown, missing = (
        set(values) - set(known),
        {n for n, is_needed in known.items() if is_needed} - set(values),
    )
    if unknown or missing:
        wrong = [f"unknown {', '.join(sorted(unknown))}"] * bool(unknown)
        wrong += [f"missing {', '.join(sorted(missing))}"] * bool(missing)
        raise UserError(f"{kind}: {'; '.join(wrong)}; its fields: {', '.join(known)}")
    return KINDS[kind](**values)


def _as_tuples(value: Any) -> Any:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value
