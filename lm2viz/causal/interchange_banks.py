"""The banks of the stories that pairs are made of, and their questions asked of banks with slots exchanged.

Axes: M moment: a story after some of its sentences, R row: one question asked of one bank, N slot, D width.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.answers import check_stories
from lm2core.reading.continuing import answer_logits
from lm2core.reading.loaded_model import LoadedModel
from lm2core.reading.many_questions import BATCH, EncodedQuestions
from lm2core.text.tokenizer import check_words, encode_segments
from lm2viz.causal.interchange_pairs import Pair, Stories
from lm2viz.progress import track

STORIES_AT_ONCE = 32
Ints = NDArray[np.int_]
Mask = NDArray[np.bool_]
RowEdit = Callable[[Tensor, Tensor, slice], Tensor]  # banks (R,N,D) of bases, of donors, which rows -> banks
ZERO = -1  # as the donor of a row: slots of zeros


class PairBanks:
    """The banks of both sides of all pairs, and the answers to questions when slots are exchanged.

    Banks are kept once for each story and number of sentences, however many pairs use them; rows are asked in
    batches, so that no more of them are in memory at once.
    """

    def __init__(self, lm: LoadedModel, stories: Stories, pairs: Sequence[Pair]) -> None:
        if lm.model.config.routing == "positional":
            raise UserError(
                "slots of positional routing are token positions; use a model with routing='content'"
            )
        self.lm, self.n_slots = lm, int(lm.model.config.memory_slots)
        base, donor = _sides(pairs)
        moments = list(dict.fromkeys([*base, *donor]))
        self._places = {moment: i for i, moment in enumerate(moments)}
        zeros = torch.zeros(1, self.n_slots, lm.model.config.bank_width, device=lm.model.device)
        self._banks_MND = torch.cat([_banks_at(lm, stories, moments), zeros])  # last, where ZERO finds it
        asked = [(p.question, *(text for text, _ in (*p.others, *p.follows))) for p in pairs]
        self._questions = EncodedQuestions(lm, [text for texts in asked for text in texts])
        self._ids = _answer_ids(lm, pairs)

    def sides(self, pairs: Sequence[Pair]) -> tuple[Ints, Ints]:
        """Indices (P,) of the banks of base and donor."""
        base, donor = ([self._places[side] for side in sides] for sides in _sides(pairs))
        return np.array(base, dtype=int), np.array(donor, dtype=int)

    def questions(self, texts: Sequence[str]) -> Ints:
        """Indices (R,) of questions, as ``answers`` takes them."""
        return self._questions.index(texts).numpy()

    def ids(self, answers: Sequence[str]) -> Ints:
        """Token ids (R,) of answers."""
        return np.array([self._ids[answer] for answer in answers], dtype=int)

    def answers(
        self, questions_R: Ints, base_R: Ints, donor_R: Ints, slots_RN: Mask, *, batch: int = BATCH
    ) -> Ints:
        """Token ids (R,) of the answers from each base's bank with these slots as the donor's."""
        slots = torch.as_tensor(slots_RN, device=self._banks_MND.device)

        def exchange(base_RND: Tensor, donor_RND: Tensor, rows: slice) -> Tensor:
            return torch.where(slots[rows, :, None], donor_RND, base_RND)

        return self.answers_after(exchange, questions_R, base_R, donor_R, batch=batch)

    def answers_after(
        self, edit: RowEdit, questions_R: Ints, base_R: Ints, donor_R: Ints, *, batch: int = BATCH
    ) -> Ints:
        """Token ids (R,) of the answers from the banks that an edit makes of those of base and donor."""
        rows = [torch.as_tensor(x, device=self._banks_MND.device) for x in (questions_R, base_R, donor_R)]
        answers = [torch.zeros(0, dtype=torch.long, device=self._banks_MND.device)]
        for start in track(range(0, len(questions_R), batch), "asking edited banks", "batch"):
            some = slice(start, start + batch)
            question, base, donor = (x[some] for x in rows)
            banks = edit(self._banks_MND[base], self._banks_MND[donor], some)
            answers.append(self._questions.logits(question, banks).argmax(-1))
        return torch.cat(answers).cpu().numpy()

    def logits(self, questions_R: Ints, banks_RND: Tensor) -> Tensor:
        """Logits (R,V) of questions asked of banks, through which a gradient can flow."""
        rows, encoded = torch.as_tensor(questions_R), self._questions
        return answer_logits(self.lm.model, encoded.ids[rows], encoded.mask[rows], banks_RND)

    def contents(self, banks_R: Ints) -> Tensor:
        """The banks (R,N,D) themselves."""
        return self._banks_MND[torch.as_tensor(banks_R)]

    def as_tensor(self, values: Ints | Mask) -> Tensor:
        """Values where the banks are."""
        return torch.as_tensor(values, device=self._banks_MND.device)

    def unedited(self, questions_R: Ints, base_R: Ints) -> Ints:
        """Token ids (R,) of the answers from the banks as they are."""
        return self.answers(questions_R, base_R, base_R, np.zeros((len(base_R), self.n_slots), dtype=bool))


def _sides(pairs: Sequence[Pair]) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Story and number of sentences of each base, and of each donor."""
    return [(p.base, p.base_step) for p in pairs], [(p.donor, p.donor_step) for p in pairs]


def check_slots(slots: Sequence[int], n_slots: int) -> None:
    """Refuse slots that the bank does not have: a UserError with those that it has."""
    wrong = [slot for slot in slots if not 0 <= slot < n_slots]
    if wrong or not slots:
        raise UserError(f"no slot {wrong[0] if wrong else '[]'}; this model has 0..{n_slots - 1}")


@torch.no_grad()
def _banks_at(lm: LoadedModel, stories: Stories, moments: Sequence[tuple[int, int]]) -> Tensor:
    """The bank (M,N,D) of each story after that many of its sentences."""
    model = lm.model
    steps: dict[int, list[tuple[int, int]]] = {story: [] for story, _ in moments}
    for m, (story, step) in enumerate(moments):
        steps[story].append((m, step))
    check_stories(lm, [stories[i] for i in steps])
    n_read = {story: max(step for _, step in of_story) for story, of_story in steps.items()}
    used = sorted(steps, key=lambda story: n_read[story])  # of one length together: a batch is as long as one
    banks = torch.empty(len(moments), model.config.memory_slots, model.config.bank_width, device=model.device)
    parts = [used[i : i + STORIES_AT_ONCE] for i in range(0, len(used), STORIES_AT_ONCE)]
    for part in track(parts, "reading stories", "part"):
        ids, mask = encode_segments(lm.tokenizer, [stories[i].sentences[: n_read[i]] for i in part])
        out = model(ids.to(model.device), mask.to(model.device))
        for b, story in enumerate(part):
            for m, step in steps[story]:
                banks[m] = out.memory_per_segment[step - 1][b]
    return banks


def _answer_ids(lm: LoadedModel, pairs: Sequence[Pair]) -> dict[str, int]:
    """The token id of every answer of the pairs; a UserError for one of several tokens."""
    answers = {
        answer
        for p in pairs
        for answer in (p.before, p.after, p.donor_answer, *(a for _, a in (*p.others, *p.follows)))
    }
    check_words(lm.tokenizer, sorted(answers))
    ids = {a: lm.tokenizer(a, add_special_tokens=False)["input_ids"] for a in sorted(answers)}
    if long := [answer for answer, tokens in ids.items() if len(tokens) != 1]:
        raise UserError(f"the answer {long[0]!r} is not a single token of this model; use one-word answers")
    return {answer: tokens[0] for answer, tokens in ids.items()}
