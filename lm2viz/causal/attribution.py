"""Direct logit attribution: what embedding, attention, memory and MLP of each block add to an answer.

The residual stream at a question's last word is the sum of everything added to it. With the final norm's
scale frozen at its value in the run, the logit difference between the right answer and the best other word is
linear in the stream, hence a sum over components. What memory adds is in turn a sum over slots, with output
gate and read pattern frozen. Only direct effects count: what an MLP computes from a read is the MLP's.

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
from lm2core.reading.given_words import encode_questions
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.questions import compared_words, other_banks
from lm2viz.causal.running import Stories, ask_banks, question_texts, run
from lm2viz.estimates import Estimate, Estimates, by_story, mean
from lm2viz.figures.attribution import component_bars
from lm2viz.progress import track

STORY_BANK, FRESH, OTHER = "story's bank", "control: fresh bank", "control: another story's bank"
BANKS = (STORY_BANK, FRESH, OTHER)
MEMORY, TOTAL = "memory, all blocks", "logit difference"


@dataclass(frozen=True, slots=True)
class Attribution:
    """Mean contributions to the logit difference, in logits, for the story's bank and two control banks.

    The two words compared for a question are the same for all banks.

    components : names of what adds to the stream, then memory of all blocks, and the difference itself
    parts : by bank, one estimate per component, with intervals over stories
    slots : by bank, estimates of shape (n_blocks, n_slots)
    strongest : by bank, the contribution over all blocks of each question's strongest slot in that bank; the
        controls choose their own strongest slots
    error : largest absolute difference, in logits, between a logit difference and the sum of its components
    slot_error : the same between what a block's memory adds and the sum over its slots
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

    @property
    def verdict(self) -> str:
        """What memory adds to the right answer, beside a fresh bank, in a sentence."""
        own, fresh = (self.of(MEMORY, bank).value for bank in (STORY_BANK, FRESH))
        total = self.of(TOTAL).value
        return (
            f"Memory itself adds {own:.1f} of the {total:.1f} logits by which the right answer leads; a "
            f"fresh bank adds {fresh:.1f}."
        )

    def summary(self) -> str:
        """The verdict; then what memory adds, in total and through the strongest slot, with the controls."""
        lines = [
            self.verdict,
            f"Direct logit attribution in {self.model}, in logits: {self.n_stories} stories, 95 % intervals "
            "over stories",
        ]
        for bank in BANKS:
            lines.append(
                f"{bank}: {MEMORY} {self.of(MEMORY, bank)} of the {TOTAL} {self.of(TOTAL, bank)}; "
                f"strongest slot {self.strongest[bank]}"
            )
        lines.append(
            f"components add up to the logit difference to within {self.error:.1e}, slots to their block's "
            f"memory to within {self.slot_error:.1e}"
        )
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per bank and component, then one per bank, block and slot."""
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
        """Bars of the components with the controls; below, blocks by slots for two of the banks."""
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
    """Contributions for one set of banks: components (Q,C), slots (Q,L,N), the difference itself (Q,)."""

    components: NDArray[np.float64]
    slots: NDArray[np.float64]
    difference: NDArray[np.float64]


def attribute_answers(lm: LoadedModel, stories: Stories, *, seed: int = 0) -> Attribution:
    """Attribute the logit difference of right answer and best other word to components and slots.

    Every question is asked of three banks: the story's, a fresh one, and that of another story drawn with
    ``seed``.

    Raises
    ------
    UserError
        As ``run``; for fewer than two stories.
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
    """Everything added to the stream at the last words, projected onto answer minus rival."""
    model = lm.model
    blocks, n_layers = model.config.memory_blocks, len(model.model.layers)
    _, mask = encode_questions(lm, texts)
    last = (torch.arange(len(texts)), mask.sum(-1) - 1)
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
    """What each slot adds through this block, (Q,N): gate times pattern times value, read out."""
    pattern_QHN = seen[f"blocks.{block}.mem.hook_read_pattern"]
    gated_QD = seen[f"blocks.{block}.mem.hook_gate_out"] * read_out_QD
    _, v_QND = mem.slots(banks_QND, mem.slot_key)
    v_QHNK = split_heads(v_QND, mem.n_heads)
    gated_QHK = gated_QD.unflatten(-1, (mem.n_heads, -1))
    return torch.einsum("qhn,qhnk,qhk->qn", pattern_QHN, v_QHNK, gated_QHK)
