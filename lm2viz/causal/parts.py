"""Causal maps of the write and the read: which part of them carries what a counterfactual pair changes.

Patching as in maps.py, but of parts of one sentence's write (by default the changed sentence's) and of the
question's read. Axes: those of patching.py.

    write   everything a block does to a slot: the write and the forget gate
    when    the slot's gates; the write is scaled by its input gate
    what    the candidates of a sentence, which belong to tokens and not to slots
    where   the routing to a slot
    how     the question's attention to a slot
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch
from numpy.typing import NDArray

from lm2core.babi.counterfactual import Counterfactual
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.maps import align, describe
from lm2viz.causal.pairs import (
    DIRECTIONS,
    PAIRS,
    PLACEBOS,
    Averages,
    Sides,
    average,
    effects,
    read_sides,
    scale_of,
)
from lm2viz.causal.patching import ALL, PARTS, Patches
from lm2viz.estimates import Estimate
from lm2viz.figures.causal_maps import MapPanel, stacked_maps
from lm2viz.progress import track

MEANINGS = {
    "write": "write and forget gate",
    "when": "when: gates",
    "what": "what: candidates",
    "where": "where: routing",
    "how": "how: question's read",
}


@dataclass(frozen=True, slots=True)
class PartMap:
    """Effects of one part, by direction. Columns are slots; for candidates, steps after the change.

    cells : one block and column patched, (2, n_blocks, n_columns)
    overall : all blocks and slots patched at once, (2,)
    """

    cells: Averages
    overall: Averages


@dataclass(frozen=True, slots=True)
class CausalParts:
    """Effects of patching parts of a write or a read: 0 is no effect, 1 the mean effect of the whole edit.

    description : task, kind and number of pairs and placebos
    scale : the unit of effects: logits by which the edit moves the difference between the two answers
    offset : the patched sentence, counted from the first changed one; candidates are patched in every one
    steps : sentences after the changed one, the columns of candidates
    pairs, placebos : by the names in ``PARTS``
    """

    model: str
    description: str
    scale: Estimate
    blocks: tuple[int, ...]
    offset: int
    steps: NDArray[np.int_]
    pairs: dict[str, PartMap]
    placebos: dict[str, PartMap]

    @property
    def verdict(self) -> str:
        """The part that carries most of the change, beside placebos, in a sentence."""
        parts = [name for name in self.pairs if name != "write"]  # which is several of them at once
        best = max(parts, key=lambda name: float(self.pairs[name].overall.at(0).value))
        own, control = (
            round(maps[best].overall.at(0).value, 2) + 0.0 for maps in (self.pairs, self.placebos)
        )
        return (
            f"The part that carries most of the change is {MEANINGS[best]}, with {own:.0%} of the whole "
            f"edit; in placebos, {control:.0%}."
        )

    def summary(self) -> str:
        """The verdict, then the effect of each part as a whole, and its strongest cell, with the placebos."""
        where = f"{self.offset:+d} from the changed one" if self.offset else "the changed one"
        lines = [
            self.verdict,
            f"Effect of patching parts of the write and the read in {self.model}, sentence: {where}; "
            f"{self.description}; effect 1 is {self.scale} logits",
        ]
        for name, part_map in self.pairs.items():
            control = self.placebos[name]
            for i, direction in enumerate(DIRECTIONS):
                overall = f"all at once {part_map.overall.at(i)}; placebos {control.overall.at(i)}"
                lines.append(f"{MEANINGS[name]}, {direction}: {overall}")
            strongest, placebo = (self._strongest(name, each.cells) for each in (part_map, control))
            lines.append(f"  strongest cell, noising: {strongest}; placebos: {placebo}")
        return "\n".join(lines)

    def _strongest(self, name: str, cells: Averages) -> str:
        """The cell with the largest mean effect, chosen on the same pairs: compare the placebos' best."""
        means = cells.mean[0]
        block, column = divmod(int(np.nanargmax(np.abs(means))), means.shape[1])
        where = f"step {self.steps[column]:+d}" if name == "what" else f"slot {column}"
        return f"block {self.blocks[block]}, {where}, {cells.at(0, block, column)}"

    def table(self) -> pd.DataFrame:
        """One row per set, part, direction, block and column; "all" is the whole part."""
        sets, names = ((PAIRS, self.pairs), (PLACEBOS, self.placebos)), ["set", "part", "direction"]
        frames = []
        for (group, maps), part in product(sets, self.pairs):
            n_columns = maps[part].cells.mean.shape[-1]
            columns = self.steps.tolist() if part == "what" else range(n_columns)
            for axes, it in (
                ((self.blocks, columns), maps[part].cells),
                ((["all"], ["all"]), maps[part].overall),
            ):
                rows = product([group], [part], DIRECTIONS, *axes)
                frame = pd.DataFrame(rows, columns=[*names, "block", "column"], dtype=object)
                numbers = {"effect": it.mean, "low": it.low, "high": it.high, "n": it.n}
                frames.append(frame.assign(**{name: values.ravel() for name, values in numbers.items()}))
        return pd.concat(frames).reset_index(drop=True)

    def figure(self, *, direction: str = DIRECTIONS[0]) -> go.Figure:
        """Block by slot for each part (block by step for candidates), for pairs and placebos."""
        i = DIRECTIONS.index(direction)
        rows = [f"block {block}" for block in self.blocks]
        steps = [f"{step:+d}" if step else "0" for step in self.steps]
        panels = [
            [
                MapPanel(
                    f"{MEANINGS[name]} ({group})",
                    maps[name].cells.mean[i],
                    rows,
                    "sentences after the changed one" if name == "what" else "slot",
                    steps if name == "what" else (),
                    highlight_column=int(np.flatnonzero(self.steps == 0)[0]) if name == "what" else None,
                )
                for group, maps in ((PAIRS, self.pairs), (PLACEBOS, self.placebos))
            ]
            for name in self.pairs
        ]
        return stacked_maps(panels, row_title="")


def causal_parts(
    lm: LoadedModel,
    pairs: Sequence[Counterfactual],
    placebos: Sequence[Counterfactual],
    *,
    offset: int = 0,
    seed: int = 0,
) -> CausalParts:
    """Patch parts of one sentence's write, and of the question's read, between the sides of each pair.

    Effects, directions and arguments as in ``causal_map``. Pairs without a sentence at ``offset`` from their
    changed one are excluded from the parts of that sentence.

    Raises
    ------
    UserError
        As ``causal_map``; when no pair, or no placebo, has a sentence there.
    """
    parts = list(PARTS.values())
    sides = read_sides(lm, pairs, parts, is_placebo=False)
    control = read_sides(lm, placebos, parts, is_placebo=True)
    for name, it in ((PAIRS, sides), (PLACEBOS, control)):
        if not _in_story(it, offset).any():
            raise UserError(
                f"offset {offset}: none of the {name} has a sentence there; choose one nearer to 0"
            )
    scale = scale_of(sides, seed)
    reach = max(it.is_changed.shape[1] for it in (sides, control))
    values = [
        _all_effects(lm, it, offset, reach, scale.value)
        for it in track((sides, control), "patching pairs, placebos", "set")
    ]
    has_any = np.any(
        [np.isfinite(effects_by_part["what"][0]).any(axis=(0, 1, 2)) for effects_by_part in values], axis=0
    )
    maps = []
    for effects_by_part in values:
        effects_by_part["what"] = (effects_by_part["what"][0][..., has_any], effects_by_part["what"][1])
        maps.append(
            {n: PartMap(*(average(x, seed=seed) for x in both)) for n, both in effects_by_part.items()}
        )
    steps = np.arange(1 - reach, reach)[has_any]
    blocks = tuple(lm.model.config.memory_blocks)
    return CausalParts(lm.name, describe(pairs, placebos), scale, blocks, offset, steps, maps[0], maps[1])


def _in_story(sides: Sides, offset: int) -> NDArray[np.bool_]:
    """Which pairs (P,) have a sentence at ``offset`` from the changed one."""
    step = sides.changed + offset
    return (step >= 0) & (step < sides.is_changed.shape[1])


def _all_effects(
    lm: LoadedModel, sides: Sides, offset: int, reach: int, scale: float
) -> dict[str, tuple[Array, Array]]:
    """Effects of the cells (P,2,L,columns) and of the whole (P,2) of every part."""
    config, device = lm.model.config, sides.rival_ids.device
    n_blocks, slots = len(config.memory_blocks), range(config.memory_slots)
    n_pairs, n_steps = sides.is_changed.shape
    chosen = torch.as_tensor((sides.changed + offset).clip(0, n_steps - 1), device=device)[:, None]
    every = torch.arange(n_steps, device=device).expand(n_pairs, -1)
    is_in = _in_story(sides, offset)

    def measured(name: str, steps: torch.Tensor, n_blocks: int, slots: Sequence[int]) -> Array:
        patches = Patches.grid(steps, n_blocks, slots)
        flat = effects(lm, sides, PARTS[name], patches, scale)
        return flat.reshape(2, n_pairs, steps.shape[1], max(n_blocks, 1), len(slots)).swapaxes(0, 1)

    effects_by_part = {}
    for name, part in track(PARTS.items(), "patching parts", "part"):
        steps = torch.zeros_like(chosen) if part.of_question else chosen
        overall = measured(name, steps, 0, [ALL])[:, :, 0, 0, 0]
        if part.slot_axis is None:
            by_step = measured(name, every, n_blocks, [ALL])[..., 0]
            cells = align(by_step, sides.changed, reach).swapaxes(2, 3)
        else:
            cells = measured(name, steps, n_blocks, slots)[:, :, 0]
        if not part.of_question:
            overall[~is_in] = np.nan
        if not part.of_question and part.slot_axis is not None:
            cells[~is_in] = np.nan
        effects_by_part[name] = cells, overall
    return effects_by_part
