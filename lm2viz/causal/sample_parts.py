"""A sample in parts, for edits that know the whole of it: what they take from other stories, and their steps.

Axes: B story of a part, R bank that is taken from, S sentence, N slot, D width.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.editing import Intervention, RunContext
from lm2viz.causal.interventions import OnSlots
from lm2viz.causal.running import Stories, check_edits, read_banks
from lm2viz.progress import track
from lm2viz.sample.parts import story_parts

PART_SENTENCES = 500  # some 60 stories of task 1; larger parts are not faster


@dataclass(frozen=True, slots=True, kw_only=True)
class _FromRows(OnSlots):
    """The slots of every story hold those of one row of the reference: ``rows`` (B,), or one row for all."""

    rows: tuple[int, ...]
    kind: ClassVar[str] = "from_rows"
    meaning: ClassVar[str] = "the slots hold those of chosen banks"
    needs_reference: ClassVar[bool] = True

    def content(self, slots_BnD: Tensor, context: RunContext) -> Tensor:
        """The content of the rows."""
        return context.reference()[list(self.rows)][:, list(self.slots)]


@dataclass(frozen=True, slots=True)
class Part:
    """Stories of a part, and the edits as they are to be run on it.

    first : number of its first story in the sample
    edits : for each variant, the interventions that act in this part
    reference : banks (R,S,N,D) that they take contents from, or None
    """

    first: int
    stories: Stories
    edits: list[list[Intervention]]
    reference: Tensor | None


class SampleParts(Sequence[Part]):
    """The parts of a sample with a question, made one by one: banks of one part are in memory.

    What ``Mean``, ``Resample`` and ``Swap`` put into a slot is that of the whole sample, however it is cut.

    Raises
    ------
    UserError
        For stories, questions or interventions that ``run`` refuses.
    """

    def __init__(self, lm: LoadedModel, stories: Stories, variants: Sequence[Sequence[Intervention]]) -> None:
        for variant in variants:
            check_edits(lm, stories, variant)
        self._lm, self._stories, self._variants = lm, stories, variants
        self._parts: list[tuple[int, Stories]] = []
        first = 0
        for part in story_parts(stories, PART_SENTENCES):
            if any(question.n_statements for story in part for question in story.questions):
                self._parts.append((first, part))
            first += len(part)
        self._mean_SND = self._mean() if any(edit.takes_mean for edit in self._all_edits()) else None

    def __len__(self) -> int:
        return len(self._parts)

    def __getitem__(self, index: int) -> Part:  # type: ignore[override]  # parts are gone through in order
        first, stories = self._parts[index]
        n_stories, n_steps = len(self._stories), max(len(story.sentences) for story in stories)
        taken = {
            edit: edit.donors(n_stories, n_stories, is_self=True)[first : first + len(stories)].tolist()
            for edit in self._all_edits()
            if edit.needs_reference and not edit.takes_mean
        }
        donors = sorted({donor for rows in taken.values() for donor in rows})
        row_of = {donor: row for row, donor in enumerate(donors)}

        def bound(edit: Intervention) -> Intervention:
            if not edit.needs_reference or not isinstance(edit, OnSlots):
                return edit
            rows = (len(donors),) if edit.takes_mean else tuple(row_of[donor] for donor in taken[edit])
            return _FromRows(slots=edit.slots, step=edit.step, rows=rows)

        return Part(
            first,
            stories,
            # an edit that begins after the last sentence of the part does nothing in it
            [[bound(edit) for edit in variant if edit.begins <= n_steps] for variant in self._variants],
            self._reference([self._stories[donor] for donor in donors], n_steps),
        )

    def _all_edits(self) -> list[Intervention]:
        return [edit for variant in self._variants for edit in variant]

    def _reference(self, donors: Sequence[Story | TextStory], n_steps: int) -> Tensor | None:
        """The banks of the donors and, last, the mean bank, over as many sentences as the part has."""
        banks = [read_banks(self._lm, donors)] if donors else []
        if self._mean_SND is not None:
            banks.append(self._mean_SND[None])
        return torch.cat([_of_length(some, n_steps) for some in banks]) if banks else None

    def _mean(self) -> Tensor:
        """The mean bank of all stories after each sentence (S,N,D); shorter stories repeat their last."""
        n_steps = max(len(story.sentences) for story in self._stories)
        total: Tensor = torch.zeros(())
        for part in track(list(story_parts(self._stories, PART_SENTENCES)), "averaging banks", "part"):
            banks_BSND = _of_length(read_banks(self._lm, part), n_steps)
            total = total.to(banks_BSND.device) + banks_BSND.double().sum(dim=0)
        return (total / len(self._stories)).to(self._lm.model.dtype)


def _of_length(banks_BSND: Tensor, n_steps: int) -> Tensor:
    """The banks after ``n_steps`` sentences; shorter ones repeat their last."""
    steps = torch.arange(n_steps, device=banks_BSND.device).clamp(max=banks_BSND.shape[1] - 1)
    return banks_BSND[:, steps]
