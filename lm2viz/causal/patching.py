"""Activation patching: values of one run put into another, many single patches in one batch.

Axes: P pair, S sentence, L block with memory, N slot, D width, V word, R patch.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.reading.continuing import answer_logits
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import encode_segments
from lm2core.traces.recording import hooked
from lm2viz.causal.editing import Hook
from lm2viz.causal.running import run
from lm2viz.progress import track

ALL = -1  # as block or slot: every one
MAX_ROWS = 2_048  # patches per batch: larger ones only need more memory


@dataclass(frozen=True, slots=True)
class Part:
    """What is patched.

    points : hook names; ``{}`` stands for the block
    slot_axis : the axis of their arrays that counts slots, the batch being 0; None if there is none
    of_question : patched while the question is asked, not while a sentence is read
    """

    points: tuple[str, ...]
    slot_axis: int | None
    of_question: bool = False


BANK = Part(("hook_bank",), 1)
PARTS = {
    "write": Part(("blocks.{}.mem.hook_write", "blocks.{}.mem.hook_gate_forget"), 1),
    "when": Part(("blocks.{}.mem.hook_gate_in", "blocks.{}.mem.hook_gate_forget"), 1),
    "what": Part(("blocks.{}.mem.hook_candidate",), None),
    "where": Part(("blocks.{}.mem.hook_write_pattern",), -1),
    "how": Part(("blocks.{}.mem.hook_read_pattern",), -1, of_question=True),
}


@dataclass(frozen=True, slots=True)
class Patches:
    """Single patches, int tensors (R,): pair, sentence, block and slot of each.

    step : index of the sentence; 0 for a part of the question
    block : index among the blocks with memory, or ``ALL``; 0 for ``BANK``
    slot : index, or ``ALL``; always ``ALL`` for a part without slots
    """

    pair: Tensor
    step: Tensor
    block: Tensor
    slot: Tensor

    def take(self, rows: Tensor) -> "Patches":
        """The patches at these rows."""
        return Patches(self.pair[rows], self.step[rows], self.block[rows], self.slot[rows])

    @staticmethod
    def grid(steps_PS: Tensor, n_blocks: int, slots: Sequence[int]) -> "Patches":
        """Every block (0 to ``n_blocks`` - 1; 0: ``ALL``) and slot in these steps of each pair.

        Effects of them have shape (P, S, n_blocks, len(slots)).
        """
        n_pairs, n_steps = steps_PS.shape
        device = steps_PS.device
        blocks = list(range(n_blocks)) or [ALL]
        pair, step, block, slot = torch.meshgrid(
            torch.arange(n_pairs, device=device),
            torch.arange(n_steps, device=device),
            torch.tensor(blocks, device=device),
            torch.tensor(slots, device=device),
            indexing="ij",
        )
        return Patches(pair.flatten(), steps_PS[pair, step].flatten(), block.flatten(), slot.flatten())


@dataclass(frozen=True, slots=True)
class Side:
    """One side of all pairs, read and asked without patches.

    ids, mask : (P,S,T); question_ids, question_mask : (P,T)
    banks : (P,S+1,N,D); the first is fresh
    points : (P,S,L,...) by the names in ``Part``; (P,1,L,...) for those of the question
    logits : (P,V)
    answer_ids : (P,)
    """

    ids: Tensor
    mask: Tensor
    question_ids: Tensor
    question_mask: Tensor
    banks: Tensor
    points: dict[str, Tensor]
    logits: Tensor
    answer_ids: Tensor


def record(lm: LoadedModel, stories: Sequence[TextStory], parts: Sequence[Part]) -> Side:
    """Read stories of equal length, each with one question at its end, and record the parts.

    Raises
    ------
    UserError
        As ``run``; for stories of different length.
    """
    if len(lengths := sorted({len(story.sentences) for story in stories})) > 1:
        raise UserError(
            f"got stories of {lengths[0]} to {lengths[-1]} sentences; use stories of equal length, "
            "e.g. draw_counterfactuals(..., n_sentences=8)"
        )
    it, model = run(lm, stories), lm.model
    texts = [story.sentences for story in stories], [[story.questions[0].text] for story in stories]
    (ids, mask), (query_ids, query_mask) = (
        [x.to(model.device) for x in encode_segments(lm.tokenizer, each)] for each in texts
    )
    query_ids, query_mask = query_ids[:, 0], query_mask[:, 0]
    seen: dict[str, list[Tensor]] = defaultdict(list)

    def keep(value: Tensor, *, hook: Any) -> None:
        seen[hook.name].append(value.clone())

    names = {point: _names(model, point) for part in parts for point in part.points}
    of_question = {p for part in parts if part.of_question for p in part.points}
    with hooked(model, [(name, keep) for p in names if p not in of_question for name in names[p]]):
        model(ids, mask, logits_to_keep=1)
    with hooked(model, [(name, keep) for p in of_question for name in names[p]]):
        answer_logits(model, query_ids, query_mask, it.banks[:, -1])
    points = {
        point: torch.stack([torch.stack(seen[name], dim=1) for name in every], dim=2)
        for point, every in names.items()
    }
    banks = torch.cat([model.new_memory(len(stories))[:, None], it.banks], dim=1)
    return Side(ids, mask, query_ids, query_mask, banks, points, it.logits, it.answer_ids)


def _names(model: Any, point: str) -> list[str]:
    """The hook points that ``point`` stands for: one per block with memory, or itself."""
    return [point.format(block) for block in model.config.memory_blocks] if "{}" in point else [point]


def patched_logits(lm: LoadedModel, into: Side, source: Side, part: Part, patches: Patches) -> Tensor:
    """Logits (R,V) of the pairs' questions in the run ``into``, each with one patch from ``source``.

    Nothing is run where both runs have bitwise equal values, since such a patch changes nothing.
    """
    logits = into.logits[patches.pair].clone()
    rows = _differs(into, source, part, patches).nonzero()[:, 0]
    steps = patches.step[rows]
    chunks = [chunk for step in steps.unique().tolist() for chunk in rows[steps == step].split(MAX_ROWS)]
    for chunk in track(chunks, "reading on from patches", "batch"):
        logits[chunk] = _run_patched(lm, into, source, part, patches.take(chunk))
    return logits


def _differs(into: Side, source: Side, part: Part, patches: Patches) -> Tensor:
    """Whether each patch (R,) changes any value."""
    differs = torch.zeros(len(patches.pair), dtype=torch.bool, device=into.ids.device)
    for point in part.points:
        cells = into.points[point] != source.points[point]  # (P,S,L,...)
        if part.slot_axis is None:
            cells = cells.flatten(3).any(-1, keepdim=True)
        else:  # the batch axis of the point is three axes here
            axis = part.slot_axis + 2 if part.slot_axis > 0 else part.slot_axis
            cells = cells.movedim(axis, 3).flatten(4).any(-1)
        cells = torch.cat([cells, cells.any(3, keepdim=True)], dim=3)  # ALL, -1, is the last
        cells = torch.cat([cells, cells.any(2, keepdim=True)], dim=2)
        differs |= cells[patches.pair, patches.step, patches.block, patches.slot]
    return differs


def _run_patched(lm: LoadedModel, into: Side, source: Side, part: Part, patches: Patches) -> Tensor:
    """Logits (R,V); all patches are of one step."""
    model, pair, step = lm.model, patches.pair, int(patches.step[0])
    hooks = [
        (name, _patch(source.points[point][:, step, place], part.slot_axis, patches, place))
        for point in part.points
        for place, name in enumerate(_names(model, point))
    ]
    rest: list[tuple[slice, list[Hook]]] = []
    if part.of_question:
        bank = into.banks[pair, -1]
    elif part == BANK:  # the sentence itself need not be read again
        bank, rest = hooks[0][1](into.banks[pair, step + 1], hook=None), [(slice(step + 1, None), [])]
    else:
        bank, rest = into.banks[pair, step], [(slice(step, step + 1), hooks), (slice(step + 1, None), [])]
    for sentences, edits in rest:
        ids = into.ids[pair, sentences]
        if ids.shape[1]:
            with hooked(model, edits):
                bank = model(ids, into.mask[pair, sentences], bank, logits_to_keep=1).memory
    with hooked(model, hooks if part.of_question else []):
        return answer_logits(model, into.question_ids[pair], into.question_mask[pair], bank)


def _patch(source: Tensor, slot_axis: int | None, patches: Patches, place: int) -> Any:
    """A hook that puts values of ``source`` (P,...) into those rows of a batch that patch block ``place``."""
    is_here = (patches.block == place) | (patches.block == ALL)
    overall = (is_here & (patches.slot == ALL)).nonzero()[:, 0]
    single = (is_here & (patches.slot != ALL)).nonzero()[:, 0]

    def patch(value: Tensor, *, hook: Any) -> Tensor:
        new = value.clone()
        new[overall] = source[patches.pair[overall]]
        if slot_axis is not None:
            slot = patches.slot[single]
            new.movedim(slot_axis, 1)[single, slot] = source.movedim(slot_axis, 1)[patches.pair[single], slot]
        return new

    return patch
