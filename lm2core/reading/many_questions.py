"""Many questions asked of many banks, in batches of a size that suits the processor's cache.

Axes: Q question, T token, R row: a question asked of a bank, N slot, D width, V word.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import (
    encode_questions,
    greedy_answers,
    questions_at_once,
    typed_question,
)
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import check_is_list, check_words

BATCH = 256  # rows; on a CPU larger batches take longer per row, because a layer's values leave the cache


class EncodedQuestions:
    """Distinct questions, encoded once.

    places : by the text as it is asked, the row of the question in ``ids`` and ``mask`` (Q,T)
    """

    def __init__(self, lm: LoadedModel, texts: Sequence[str]) -> None:
        self.lm = lm
        distinct = list(dict.fromkeys(typed_question(lm, text) for text in texts))
        check_words(lm.tokenizer, distinct)
        self.ids, self.mask = encode_questions(lm, distinct)
        self.places = {text: i for i, text in enumerate(distinct)}

    def index(self, texts: Sequence[str]) -> Tensor:
        """The row (R,) of each text."""
        return torch.tensor([self.places[typed_question(self.lm, text)] for text in texts], dtype=torch.long)

    @torch.no_grad()
    def logits(self, rows_R: Tensor, banks_RND: Tensor) -> Tensor:
        """Logits (R,V) of these questions, each asked of its bank, which it leaves as it is."""
        return answer_logits(self.lm.model, self.ids[rows_R], self.mask[rows_R], banks_RND)


def ask_many(lm: LoadedModel, questions: Sequence[str], banks: Tensor) -> list[tuple[str, float]]:
    """The most likely answer to each question from its own bank, and its probability in [0, 1].

    banks : (Q,N,D), one for each question, such as ``bank_after`` or ``LM2Output.memory`` gives; (1,N,D) is
        one bank for all questions

    Raises
    ------
    UserError
        For no questions, an empty one or unknown words; for another number of banks than of questions; for
        banks of another shape than the model's, or with values that are not finite.
    """
    check_is_list(questions)
    if not questions:
        raise UserError("there is no question to ask; give at least one")
    if banks.ndim != 3 or len(banks) not in (1, len(questions)):
        raise UserError(
            f"banks of shape {tuple(banks.shape)} for {len(questions)} questions; give (Q,N,D), one for "
            "each, or (1,N,D) for all"
        )
    if not banks.isfinite().all():
        raise UserError(f"{int((~banks.isfinite()).sum())} values of the banks are NaN or infinite")
    encoded = EncodedQuestions(lm, questions)
    banks = banks.expand(len(questions), -1, -1).to(encoded.ids.device)
    answers: list[tuple[str, float]] = []
    at_once = min(BATCH, questions_at_once(lm, encoded.ids.shape[1]))
    for chunk in torch.arange(len(questions)).split(at_once):
        rows = encoded.index([questions[i] for i in chunk.tolist()])
        answers += greedy_answers(lm, encoded.ids[rows], encoded.mask[rows], banks[chunk])
    return answers
