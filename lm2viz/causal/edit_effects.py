"""What edits of a fact do to it and to everything else, beside reading the sentence that states it.

Axes: B story, N slot, D width, R row: a question asked of one bank.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from lm2core.babi.fact_questions import question_about
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.many_questions import BATCH, EncodedQuestions
from lm2core.text.tokenizer import encode_segments
from lm2viz.arrays import Array
from lm2viz.causal.edit_cases import (
    AFTER,
    EditCase,
    SentenceOf,
    check_can_be_stated,
    draw_cases,
    state_place,
)
from lm2viz.causal.edit_effects_result import READ, UNEDITED, EditEffects, Shares
from lm2viz.causal.interchange_banks import STORIES_AT_ONCE
from lm2viz.causal.interchange_pairs import Asked, QuestionOf, Stories
from lm2viz.causal.interchanging import MIN_STORIES
from lm2viz.causal.memory_edits import METHODS, MemoryEdit, make_edits
from lm2viz.causal.subspace_search import N_DIMS
from lm2viz.estimates import NONE, Estimate, mean
from lm2viz.progress import track

Banks = dict[int, Tensor]  # by the number of sentences read after the edit, (B,N,D)


def compare_edits(
    lm: LoadedModel,
    stories: Stories,
    fact: str,
    methods: Sequence[str] = METHODS,
    *,
    slots: Sequence[int] | None = None,
    n_dims: int = N_DIMS,
    seed: int = 0,
    question_of: QuestionOf = question_about,
    sentence_of: SentenceOf = state_place,
) -> tuple[list[MemoryEdit], EditEffects]:
    """Make edits from every other story, and measure them on the rest.

    Returns
    -------
    edits : one for each method, to be applied to any bank of the model
    effects : as ``edit_effects``

    Raises
    ------
    UserError
        As ``make_edits`` and ``edit_effects``.
    """
    check_can_be_stated(fact)
    edits = make_edits(
        lm, stories[::2], fact, methods, slots=slots, n_dims=n_dims, seed=seed, question_of=question_of
    )
    held_out = stories[1::2]
    return edits, edit_effects(
        lm, edits, held_out, seed=seed, question_of=question_of, sentence_of=sentence_of
    )


def edit_effects(
    lm: LoadedModel,
    edits: Sequence[MemoryEdit],
    stories: Stories,
    *,
    seed: int = 0,
    question_of: QuestionOf = question_about,
    sentence_of: SentenceOf = state_place,
) -> EditEffects:
    """Edit a fact of each story at a random moment, read on, and ask about every fact that is known.

    Beside them: the same stories without an edit, and with the sentence read that states the new value.

    edits : of one fact

    Raises
    ------
    UserError
        For a fact that no sentence states; if fewer than ``MIN_STORIES`` stories are long enough; as
        ``read_stories`` for words that the model does not know.
    """
    fact = edits[0].fact
    check_can_be_stated(fact)
    values = sorted(set.intersection(*(set(edit.values) for edit in edits)))
    cases = draw_cases(stories, fact, values, seed=seed, question_of=question_of, sentence_of=sentence_of)
    if len(cases) < MIN_STORIES:
        raise UserError(
            f"{fact}: {len(cases)} of {len(stories)} stories know it {max(AFTER)} sentences before their "
            f"end; an interval needs {MIN_STORIES}; give more stories"
        )
    banks = read_on(lm, [case.before for case in cases])
    edited = {edit.method: edit.apply(banks, [case.value for case in cases]) for edit in edits}
    edited |= {READ: read_on(lm, [(case.sentence,) for case in cases], banks), UNEDITED: banks}
    read = {
        name: {n: read_on(lm, [case.later[:n] for case in cases], bank) for n in AFTER}
        for name, bank in track(edited.items(), "reading on", "edit")
    }
    asking = _Asking(lm, cases)
    unedited = {n: asking.answers(n, read[UNEDITED][n]) for n in AFTER}
    effects = {
        name: {n: asking.shares(n, of_edit[n], unedited[n], seed) for n in AFTER}
        for name, of_edit in read.items()
    }
    return EditEffects(fact, lm.name, edits[0].slots, effects, len(cases))


@torch.no_grad()
def read_on(lm: LoadedModel, sentences: Sequence[Sequence[str]], banks_BND: Tensor | None = None) -> Tensor:
    """The banks (B,N,D) after these sentences of each story, beginning with fresh banks or with these."""
    if not any(sentences) and banks_BND is not None:
        return banks_BND
    parts = []
    for start in range(0, len(sentences), STORIES_AT_ONCE):
        some = slice(start, start + STORIES_AT_ONCE)
        ids, mask = (x.to(lm.model.device) for x in encode_segments(lm.tokenizer, list(sentences[some])))
        parts.append(lm.model(ids, mask, None if banks_BND is None else banks_BND[some]).memory)
    return torch.cat(parts)


class _Asking:
    """Every question of the cases, asked of banks and counted by what it is about."""

    def __init__(self, lm: LoadedModel, cases: Sequence[EditCase]) -> None:
        self.lm = lm
        self.rows = {n: [_rows(case, n) for case in cases] for n in AFTER}
        every = [asked for of_case in self.rows.values() for rows in of_case for _, asked in rows]
        self.encoded = EncodedQuestions(lm, [text for text, _ in every])
        words = sorted({answer for _, answer in every})
        self.ids = dict(zip(words, lm.tokenizer.convert_tokens_to_ids(words), strict=True))

    def answers(self, n: int, banks_BND: Tensor) -> Array:
        """Token ids (R,) of the answers ``n`` sentences after the edit."""
        of_row = [(b, text) for b, rows in enumerate(self.rows[n]) for _, (text, _) in rows]
        questions = self.encoded.index([text for _, text in of_row])
        story = torch.tensor([b for b, _ in of_row])
        parts = [
            self.encoded.logits(questions[some], banks_BND[story[some]]).argmax(-1)
            for some in torch.arange(len(story)).split(BATCH)
        ]
        return torch.cat(parts).cpu().numpy()

    def shares(self, n: int, banks_BND: Tensor, unedited_R: Array, seed: int) -> Shares:
        """What became of the fact, of what follows from it, and of everything else."""
        answers = iter(zip(self.answers(n, banks_BND), unedited_R, strict=True))
        hits: dict[str, list[list[bool]]] = {name: [] for name in ("fact", "follows", "others")}
        for rows in self.rows[n]:
            of_case: dict[str, list[bool]] = {name: [] for name in hits}
            for kind, (_, right) in rows:
                answer, before = next(answers)
                # An answer that was wrong without the edit cannot show that the edit left it alone.
                if kind != "others" or before == self.ids[right]:
                    of_case[kind].append(bool(answer == self.ids[right]))
            for kind, each in of_case.items():
                hits[kind].append(each)
        return Shares(**{kind: _over_stories(each, seed) for kind, each in hits.items()})


def _rows(case: EditCase, n: int) -> list[tuple[str, Asked]]:
    """What is asked of a case, each with what it is about."""
    check = case.checks[n]
    kinds: Mapping[str, Sequence[Asked]] = {
        "fact": check.fact,
        "follows": check.follows,
        "others": check.others,
    }
    return [(kind, asked) for kind, each in kinds.items() for asked in each]


def _over_stories(hits: Sequence[Sequence[bool]], seed: int) -> Estimate:
    """The mean over questions, with an interval over stories."""
    story = [b for b, each in enumerate(hits) for _ in each]
    if not story:
        return NONE
    return mean(np.array([hit for each in hits for hit in each]), groups=story, seed=seed)
