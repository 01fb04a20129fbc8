"""Placebos of interventions: the same on other slots, and random vectors of the same norm as their changes.

Axes: Q question, N slot, D width, T word of the question, V word.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.clamped_gates import GATES
from lm2viz.causal.editing import Hook, Intervention
from lm2viz.causal.running import Run, Stories, ask_banks, question_texts
from lm2viz.progress import track


def interventions_on_other_slots(
    interventions: Sequence[Intervention], n_slots: int, n_draws: int, rng: np.random.Generator
) -> list[list[Intervention]]:
    """Draws of the interventions with every slot replaced by an unedited one; none if there are too few.

    For a single slot, no replacement is drawn twice.
    """
    used, others = used_and_other_slots(interventions, n_slots)
    if not used:
        return []
    if len(used) == 1:
        draws = rng.permutation(others)[:n_draws, None]
    else:
        draws = np.array([rng.permutation(others)[: len(used)] for _ in range(n_draws)])
    maps = [dict(zip(used, draw.tolist(), strict=True)) for draw in draws]
    return [[edit.on_other_slots(to) for edit in interventions] for to in maps]


def used_and_other_slots(interventions: Sequence[Intervention], n_slots: int) -> tuple[list[int], list[int]]:
    """The edited slots and the others; both empty if no slot is edited or the others are too few."""
    used = sorted({slot for edit in interventions for slot in edit.edited_slots()})
    others = [slot for slot in range(n_slots) if slot not in used]
    return (used, others) if len(used) <= len(others) else ([], [])


def with_random_vectors(
    lm: LoadedModel, stories: Stories, clean: Run, edited: Run, n_draws: int, rng: np.random.Generator
) -> list[Tensor]:
    """Logits (Q,V) for each draw; none if the interventions changed neither banks nor reads.

    Each slot's change is replaced by a random vector of the same norm. If the question's read was edited, so
    is the change of what memory adds to each word of the question.
    """
    texts = question_texts(stories)
    length_QN1 = (edited.question_banks - clean.question_banks).norm(dim=-1, keepdim=True)
    added = _changes_of_reads(lm, texts, edited)
    if not length_QN1.any() and not any(length_QT1.any() for length_QT1 in added.values()):
        return []
    logits = []
    for _ in track(range(n_draws), "asking banks with random vectors", "draw"):
        banks_QND = clean.question_banks + _random(length_QN1, clean.question_banks.shape[-1], rng)
        hooks: list[Hook] = [
            (name, partial(_plus, _random(length_QT1, banks_QND.shape[-1], rng)))
            for name, length_QT1 in added.items()
        ]
        logits.append(ask_banks(lm, texts, banks_QND, hooks))
    return logits


def _changes_of_reads(lm: LoadedModel, texts: Sequence[str], edited: Run) -> dict[str, Tensor]:
    """By hook, the norm (Q,T,1) of the change that an edited output gate makes to what memory adds."""
    blocks = [b for b in lm.model.config.memory_blocks if _gate(b) in dict(edited.question_edits)]
    before: dict[str, Tensor] = {}
    after: dict[str, Tensor] = {}
    hooks: list[Hook] = [
        *((_gate(block), partial(_keep, before)) for block in blocks),
        *edited.question_edits,  # hooks of one point act in their order
        *((name, partial(_keep, after)) for b in blocks for name in (_gate(b), f"blocks.{b}.mem.hook_read")),
    ]
    if blocks:
        ask_banks(lm, texts, edited.question_banks, hooks)
    change = {b: (after[_gate(b)] - before[_gate(b)]) * after[f"blocks.{b}.mem.hook_read"] for b in blocks}
    return {f"blocks.{b}.hook_mem_out": it.norm(dim=-1, keepdim=True) for b, it in change.items()}


def _gate(block: int) -> str:
    return f"blocks.{block}.mem.{GATES['out']}"


def _random(length: Tensor, width: int, rng: np.random.Generator) -> Tensor:
    """Random vectors with norms ``length`` (...,1)."""
    noise = torch.as_tensor(rng.standard_normal((*length.shape[:-1], width))).to(length)
    return length * noise / noise.norm(dim=-1, keepdim=True)


def _plus(vectors: Tensor, value: Tensor, *, hook: Any) -> Tensor:
    return value + vectors


def _keep(recorded: dict[str, Tensor], value: Tensor, *, hook: Any) -> None:
    recorded[hook.name] = value.clone()
