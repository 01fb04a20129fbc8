"""Effects of interventions on one story: its answers with and without them, and how much each slot changes.

The control is the same intervention on other slots. Axes: those of interventions.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.given_words import typed_question
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.editing import Intervention, as_list
from lm2viz.causal.placebos import used_and_other_slots
from lm2viz.causal.running import Run, ask_banks, question_texts, run


@dataclass(frozen=True, slots=True)
class QuestionEffect:
    """One question, answered before and after the intervention and under the control.

    truth : the right answer; empty if it is not known
    p_before, p_after, p_control : probability of the answer ``before`` in each run, in [0, 1]
    control, p_control : empty and NaN if there are too few other slots
    """

    question: str
    step: int
    truth: str
    before: str
    p_before: float
    after: str
    p_after: float
    control: str
    p_control: float


@dataclass(frozen=True, slots=True)
class StoryEffect:
    """Effects of interventions on one story.

    slot_changes : ndarray of shape (n_slots, n_sentences) in [0, 1], root mean square change of each slot
        after each sentence, capped at 1
    answers : one entry per question
    """

    slot_changes: NDArray[Any]
    answers: tuple[QuestionEffect, ...]

    def verdict(self, action: str) -> str:
        """How many answers the edits change, beside the same edits on other slots, in a sentence.

        action : the edits as the subject of the sentence, see ``describe.action_in_words``
        """
        n = len(self.answers)
        changed, of_control = (
            sum(getattr(a, name) not in ("", a.before) for a in self.answers) for name in ("after", "control")
        )
        has_control = any(a.control for a in self.answers)
        if n != 1:
            tail = f"; the same on other slots, {of_control}" if has_control else ""
            return f"{action} changes {changed} of {n} answers about this story{tail}."
        (only,) = self.answers
        did = f"changes the answer from {only.before} to {only.after}"
        if not changed:
            did = f"leaves the answer {only.before} ({only.p_before:.0%} before, {only.p_after:.0%} after)"
        tail = f"; the same on other slots, {only.control} ({only.p_control:.0%})" if has_control else ""
        if of_control:
            tail = f"; the same on other slots changes it to {only.control}"
        return f"{only.question} {action} {did}{tail}."


def story_effect(
    lm: LoadedModel,
    story: TextStory,
    interventions: Intervention | Sequence[Intervention],
    *,
    reference: Tensor | None,
) -> StoryEffect:
    """Read the story with and without the interventions; ``reference`` as in ``run``.

    Raises
    ------
    UserError
        As ``run``.
    """
    interventions = as_list(interventions)
    clean = run(lm, [story])
    edited = run(lm, [story], interventions, reference=reference)
    other = on_control_slots(interventions, lm.model.config.memory_slots)
    control = run(lm, [story], other, reference=reference) if other else None
    change_SN = (edited.banks - clean.banks)[0].square().mean(dim=-1).sqrt().clamp(max=1)
    answer_ids = clean.logits.argmax(dim=-1)

    def probability(of: Run) -> list[float]:
        return [float(p) for p in of.logits.softmax(-1).gather(1, answer_ids[:, None])[:, 0]]

    n, none = len(clean.words), float("nan")
    rows = zip(
        question_texts([story]),
        (int(step) for step in clean.step),
        (q.answer if q.support else "" for q in story.questions if q.n_statements),
        clean.words,
        probability(clean),
        edited.words,
        probability(edited),
        control.words if control else [""] * n,
        probability(control) if control else [none] * n,
        strict=True,
    )
    return StoryEffect(change_SN.T.cpu().numpy(), tuple(QuestionEffect(*row) for row in rows))


def story_with_question(lm: LoadedModel, sentences: Sequence[str], question: str) -> TextStory:
    """A story with one question at its end, whose answer is that of the unedited model.

    Raises
    ------
    UserError
        For unknown words or an empty question.
    """
    (word, _), *_ = ranked_words(lm, question, memory_after(lm, sentences))
    story_question = Question(typed_question(lm, question), word, (), len(sentences))
    return TextStory(tuple(sentences), (story_question,))


def on_control_slots(interventions: Sequence[Intervention], n_slots: int) -> list[Intervention]:
    """The interventions on other slots, always the same ones; none if there are too few."""
    used, others = used_and_other_slots(interventions, n_slots)
    if not used:
        return []
    to = dict(zip(used, Random(str(used)).sample(others, len(used)), strict=True))
    return [edit.on_other_slots(to) for edit in interventions]


def most_important_slot(lm: LoadedModel, question: str, bank: Tensor) -> int:
    """The slot whose removal (zeros) makes the answer least probable; ``bank`` is (1,N,D)."""
    n_slots = bank.shape[1]
    emptied_NND = bank.repeat(n_slots, 1, 1)
    emptied_NND[torch.arange(n_slots), torch.arange(n_slots)] = 0
    logits = ask_banks(lm, [typed_question(lm, question)] * (n_slots + 1), torch.cat([bank, emptied_NND]))
    answer_id = logits[0].argmax()
    return int(logits[1:].log_softmax(-1)[:, answer_id].argmin())


def changed_slots(slot_changes: NDArray[np.floating], n: int = 6) -> list[int]:
    """The ``n`` slots that change most at any sentence, most changed first; unchanged ones are excluded."""
    most = slot_changes.max(axis=1)
    return [int(slot) for slot in np.argsort(-most, kind="stable")[:n] if most[slot] > 1e-3]
