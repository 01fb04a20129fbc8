"""Direct logit attribution: what embedding, attention, memory and MLP of each block add to an answer.

The stream at a question's last word is the sum of what was added to it. With the final norm's scale frozen
at its value in the run, the logit difference of the right answer to the best other word is linear in that
stream, and so a sum over parts; what memory adds is in turn a sum over slots, with the output gate and the
read pattern as they were. Only direct effects: what an MLP makes of a read counts as the MLP's.

Axes: Q question, C component, L block with memory, N slot, H head, K = D / H, D width, V word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.model.attention import split_heads
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import encode_segments
from lm2viz.causal.questions import compared_words, other_banks
from lm2viz.causal.running import Stories, ask_banks, question_texts, run
from lm2viz.estimates import Estimate, Estimates, by_story, mean
from lm2viz.figures.attribution import component_bars
from lm2viz.progress import track

STORY_BANK, FRESH, OTHER = "own bank", "control: fresh bank", "control: another story's bank"
BANKS = (STORY_BANK, FRESH, OTHER)
MEMORY, TOTAL = "memory, all blocks", "logit difference"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Mean contributions to the logit difference, in logits, asked of the own bank and of two controls.

    The two words of a question are the same for all banks.

    components : what adds to the stream; then memory of all blocks, and the difference itself
    parts : by bank, one estimate a component; intervals by story
    slots : by bank, estimates of shape (n_blocks, n_slots)
    strongest : by bank, what one slot contributes over all blocks: for each question the one that contributes
        most in that bank, so that the controls choose as freely
    error : the largest difference, in logits, of any question's logit difference and the sum of its parts
    slot_error : likewise of what one block's memory adds and the sum over its slots
    """

    model: str
    n_stories: int
    blocks: tuple[int, ...]
    components: tuple[str, ...]
    parts: dict[str, tuple[Estimate, ...]]
    slots: dict[str, Estimates]
    strongest: dict[str, Estimate]
    error: float
    slot_error: float

    def of(self, component: str, bank: str = STORY_BANK) -> Estimate:
        """One of the contributions."""
        return self.parts[bank][self.components.index(component)]

    def summary(self) -> str:
        """What memory contributes, of all and through each question's strongest slot, beside the controls."""
        lines = [
            f"direct logit attribution in {self.model}: {self.n_stories} stories, intervals by story; "
            f"parts add up to {self.error:.1e} logits, slots to {self.slot_error:.1e}"
        ]
        for bank in BANKS:
            lines.append(
                f"{bank}: {MEMORY} {self.of(MEMORY, bank)} of {TOTAL} {self.of(TOTAL, bank)}; "
                f"strongest slot {self.strongest[bank]}"
            )
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row a bank and component; and a bank, block and slot."""
        rows: list[dict[str, Any]] = [
            {"bank": bank, "component": name, "logits": it.value, "low": it.low, "high": it.high, "n": it.n}
            for bank in BANKS
            for name, it in zip(self.components, self.parts[bank], strict=True)
        ]
        n_slots = self.slots[STORY_BANK].value.shape[1]
        for bank, (i, block), slot in product(BANKS, enumerate(self.blocks), range(n_slots)):
            it = self.slots[bank].at(i, slot)
            named = {"bank": bank, "component": f"block {block} memory", "slot": slot}
            rows.append(named | {"logits": it.value, "low": it.low, "high": it.high, "n": it.n})
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """Components as bars, the controls beside them; below, blocks by slots of two of the banks."""
        value, low, high = (
            np.array([[getattr(it, name) for it in self.parts[bank]] for bank in BANKS])
            for name in ("value", "low", "high")
        )
        return component_bars(
            value,
            low,
            high,
            banks=BANKS,
            components=self.components,
            slots={bank: self.slots[bank].value for bank in (STORY_BANK, OTHER)},
            rows=[f"block {block}" for block in self.blocks],
        )


@dataclass(frozen=True, slots=True)
class _Contributions:
    """Contributions of one asking: components (Q,C), slots (Q,L,N), the difference itself (Q,)."""

    components: NDArray[np.float64]
    slots: NDArray[np.float64]
    difference: NDArray[np.float64]


def attribute_answers(lm: LoadedModel, stories: Stories, *, seed: int = 0) -> Attribution:
    """Attribute the right answers' logits, over the best other words', to components and to slots.

    Every question is asked three times: of its own bank, of a fresh one, and of the bank of another story,
    which ``seed`` draws.

    Raises
    ------
    UserError
        As ``run``; for a single story, which has no other.
    """
    it, texts = run(lm, stories), question_texts(stories)
    words_Q2 = compared_words(it)
    fresh = lm.model.new_memory(len(it.story))
    banks = {STORY_BANK: it.question_banks, FRESH: fresh, OTHER: other_banks(it, seed)}
    parts = {
        name: _attributed(lm, texts, bank, words_Q2) for name, bank in track(banks.items(), "asking", "bank")
    }
    blocks = lm.model.config.memory_blocks
    names = _component_names(len(lm.model.model.layers), blocks)
    memory = [i for i, name in enumerate(names) if name.endswith("memory")]

    def estimates(of: _Contributions) -> tuple[Estimate, ...]:
        columns = [*of.components.T, of.components[:, memory].sum(axis=1), of.difference]
        return tuple(mean(column, groups=it.story, seed=seed) for column in columns)

    return Attribution(
        lm.name,
        len(set(it.story.tolist())),
        tuple(blocks),
        (*names, MEMORY, TOTAL),
        {name: estimates(of) for name, of in parts.items()},
        {name: by_story(of.slots, it.story, seed=seed) for name, of in parts.items()},
        {
            name: mean(of.slots.sum(axis=1).max(axis=1), groups=it.story, seed=seed)
            for name, of in parts.items()
        },
        max(float(np.abs(of.components.sum(axis=1) - of.difference).max()) for of in parts.values()),
        max(float(np.abs(of.slots.sum(axis=2) - of.components[:, memory]).max()) for of in parts.values()),
    )


def _component_names(n_blocks: int, memory_blocks: Sequence[int]) -> list[str]:
    names = ["embedding"]
    for block in range(n_blocks):
        kinds = ("attention", "memory", "MLP") if block in memory_blocks else ("attention", "MLP")
        names += [f"block {block} {kind}" for kind in kinds]
    return names


_POINTS = {"attention": "hook_attn_out", "memory": "hook_mem_out", "MLP": "hook_mlp_out"}


def _attributed(lm: LoadedModel, texts: Sequence[str], banks_QND: Tensor, words_Q2: Tensor) -> _Contributions:
    """Everything that was added to the stream at the last words, projected on answer minus rival."""
    model = lm.model
    blocks, n_layers = model.config.memory_blocks, len(model.model.layers)
    _, mask = encode_segments(lm.tokenizer, [[text] for text in texts])
    last = (torch.arange(len(texts)), mask[:, 0].sum(-1) - 1)
    seen: dict[str, Tensor] = {}

    def keep(value: Tensor, *, hook: Any) -> None:
        token_first = value.movedim(-2, 1) if hook.name.endswith("pattern") else value
        seen[hook.name] = token_first[last].clone()

    names = ["blocks.0.hook_resid_pre", f"blocks.{n_layers - 1}.hook_resid_post"]
    for name in _component_names(n_layers, blocks)[1:]:
        _, block, kind = name.split()
        names.append(f"blocks.{block}.{_POINTS[kind]}")
    extra = [f"blocks.{b}.mem.{point}" for b in blocks for point in ("hook_read_pattern", "hook_gate_out")]
    logits = ask_banks(lm, texts, banks_QND, [(name, keep) for name in (*names, *extra)])

    norm, stream_QD = model.model.norm, seen[names[1]]
    with torch.no_grad():
        answer_QD, rival_QD = model.lm_head.weight[words_Q2].unbind(1)
        scale_Q1 = torch.rsqrt(stream_QD.pow(2).mean(-1, keepdim=True) + norm.eps)
        read_out_QD = (answer_QD - rival_QD) * norm.weight * scale_Q1
        added_QCD = torch.stack([seen[name] for name in (names[0], *names[2:])], dim=1)
        components = (added_QCD * read_out_QD[:, None]).sum(-1)
        slots = torch.stack(
            [_of_slots(model.model.layers[b].mem, b, seen, banks_QND, read_out_QD) for b in blocks], dim=1
        )
    difference = logits.gather(1, words_Q2).diff(dim=1)[:, 0].neg()
    return _Contributions(*(x.double().cpu().numpy() for x in (components, slots, difference)))


def _of_slots(
    mem: Any, block: int, seen: dict[str, Tensor], banks_QND: Tensor, read_out_QD: Tensor
) -> Tensor:
    """What each slot adds through this block, (Q,N): gate times pattern times value, on the read-out."""
    pattern_QHN = seen[f"blocks.{block}.mem.hook_read_pattern"]
    gated_QD = seen[f"blocks.{block}.mem.hook_gate_out"] * read_out_QD
    _, v_QND = mem.slots(banks_QND, mem.slot_key)
    v_QHNK = split_heads(v_QND, mem.n_heads)
    gated_QHK = gated_QD.unflatten(-1, (mem.n_heads, -1))
    return torch.einsum("qhn,qhnk,qhk->qn", pattern_QHN, v_QHNK, gated_QHK)
