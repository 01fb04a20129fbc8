"""Placebos of interventions: the same on other slots, and random vectors of the same norm as their changes.

Axes: Q question, N slot, D width, T word of the question, V word.
"""

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.clamped_gates import GATES, ClampGate
from lm2viz.causal.editing import Hook, Intervention
from lm2viz.causal.running import Run, Stories, ask_banks, question_texts


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


class RandomVectors:
    """Random vectors in place of what the interventions change, for the questions of a sample part by part.

    Each slot's change is replaced by a random vector of the same norm. If the question's read was edited, so
    is the change of what memory adds to each word of the question. A question's vectors are the same however
    the sample is cut: each draw and each place has a generator that stands where its numbers begin.

    is_possible : whether the interventions changed a bank or a read of the parts so far
    """

    def __init__(
        self,
        lm: LoadedModel,
        stories: Stories,
        interventions: Sequence[Intervention],
        n_draws: int,
        rng: np.random.Generator,
    ) -> None:
        self._lm, self.is_possible = lm, False
        texts, config = question_texts(stories), lm.model.config
        self._n_words = max(len(lm.tokenizer.tokenize(text)) for text in set(texts))
        of_reads = len(_clamped_blocks(config.memory_blocks, interventions))
        places = [config.memory_slots, *[self._n_words] * of_reads]  # vectors of each question
        self._generators: list[list[np.random.Generator]] = []
        for _ in range(n_draws):
            self._generators.append([])
            for n_vectors in places:
                self._generators[-1].append(deepcopy(rng))
                _skip(rng, len(texts) * n_vectors * config.hidden_size)

    def logits(self, part: Stories, clean: Run, edited: Run) -> list[Tensor]:
        """Logits (Q,V) of the next part's questions, for each draw."""
        texts = question_texts(part)
        length_QN1 = (edited.question_banks - clean.question_banks).norm(dim=-1, keepdim=True)
        added = _changes_of_reads(self._lm, texts, edited)
        self.is_possible |= bool(length_QN1.any()) or any(bool(it.any()) for it in added.values())
        width, logits = clean.question_banks.shape[-1], []
        for of_banks, *of_reads in self._generators:
            banks_QND = clean.question_banks + _random(length_QN1, width, of_banks)
            hooks: list[Hook] = [
                (name, partial(_plus, _random(length_QT1, width, rng, self._n_words)))
                for (name, length_QT1), rng in zip(added.items(), of_reads, strict=True)
            ]
            logits.append(ask_banks(self._lm, texts, banks_QND, hooks))
        return logits


def _skip(rng: np.random.Generator, n_numbers: int, at_once: int = 1_000_000) -> None:
    """Move past so many normal numbers; how many bits one takes is not known before."""
    for start in range(0, n_numbers, at_once):
        rng.standard_normal(min(at_once, n_numbers - start))


def _clamped_blocks(blocks: Sequence[int], interventions: Sequence[Intervention]) -> list[int]:
    """The blocks whose output gate is clamped."""
    clamped = [edit.block for edit in interventions if isinstance(edit, ClampGate) and edit.gate == "out"]
    return [block for block in blocks if block in clamped or None in clamped]


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


def _random(length: Tensor, width: int, rng: np.random.Generator, n_drawn: int | None = None) -> Tensor:
    """Random vectors with norms ``length`` (Q,n,1): the first n of ``n_drawn`` for each question."""
    n_questions, n, _ = length.shape
    noise = torch.as_tensor(rng.standard_normal((n_questions, n_drawn or n, width))[:, :n]).to(length)
    return length * noise / noise.norm(dim=-1, keepdim=True)


def _plus(vectors: Tensor, value: Tensor, *, hook: Any) -> Tensor:
    return value + vectors


def _keep(recorded: dict[str, Tensor], value: Tensor, *, hook: Any) -> None:
    recorded[hook.name] = value.clone()
