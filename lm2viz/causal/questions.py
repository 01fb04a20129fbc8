"""Questions with the two words whose logits are compared, asked of one bank after another.

Axes: Q question, N slot, D width, R row: some of the questions.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import encode_questions
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.patching import MAX_ROWS
from lm2viz.causal.running import Run
from lm2viz.progress import track


def compared_words(it: Run) -> Tensor:
    """Ids (Q,2) of the right answer and of the best other word."""
    rival_ids = it.logits.scatter(1, it.answer_ids[:, None], -torch.inf).argmax(-1)
    return torch.stack([it.answer_ids, rival_ids], dim=1)


def other_banks(it: Run, seed: int) -> Tensor:
    """For each question, the bank (Q,N,D) after as many sentences of another story, drawn at random.

    Raises
    ------
    UserError
        For fewer than two stories.
    """
    n_stories = len(it.banks)
    if n_stories < 2:
        raise UserError("got one story and no other to compare it with; give at least two")
    shift = np.random.default_rng(seed).integers(1, n_stories, size=len(it.story))
    return it.banks[torch.as_tensor((it.story + shift) % n_stories), torch.as_tensor(it.step - 1)]


class LogitDifferences:
    """Logit differences between the two words of each question, as a function of banks."""

    def __init__(self, lm: LoadedModel, texts: Sequence[str], words_Q2: Tensor) -> None:
        self.model, self.words_Q2 = lm.model, words_Q2
        self.ids, self.mask = encode_questions(lm, texts)

    def _of_rows(self, banks_RND: Tensor, rows: Tensor) -> Tensor:
        """Logit of the answer minus that of its rival (R,), for questions ``rows`` of these banks."""
        logits = answer_logits(self.model, self.ids[rows], self.mask[rows], banks_RND)
        return -logits.gather(1, self.words_Q2[rows]).diff(dim=1)[:, 0]

    def difference(self, banks_QND: Tensor) -> Array:
        """Logit of the answer minus that of its rival (Q,), for every question with its bank."""
        with torch.no_grad():
            parts = [self._of_rows(banks_QND[rows], rows) for rows in self._chunks()]
        return torch.cat(parts).double().cpu().numpy()

    def attributed(self, banks_QND: Tensor, start_QND: Tensor, points: tuple[Array, Array]) -> Array:
        """Attribution to slots (Q,N): the bank's change times the mean gradient at ``points`` on the path."""
        change = banks_QND - start_QND
        total = torch.zeros_like(change)
        for at, weight in track(list(zip(*points, strict=True)), "following gradients", "point"):
            for rows in self._chunks():
                place = (start_QND[rows] + float(at) * change[rows]).requires_grad_()
                with torch.enable_grad():
                    (gradient,) = torch.autograd.grad(self._of_rows(place, rows).sum(), place)
                total[rows] += float(weight) * gradient
        return (total * change).sum(-1).double().cpu().numpy()

    def without_slots(self, banks_QND: Tensor, fresh_QND: Tensor, kind: str) -> Array:
        """The difference (Q,N) when each slot in turn is reset ("fresh") or set to zero ("zero")."""
        without = np.empty(banks_QND.shape[:2])
        for slot in track(range(banks_QND.shape[1]), f"asking without slots ({kind})", "slot"):
            edited = banks_QND.clone()
            edited[:, slot] = fresh_QND[:, slot] if kind == "fresh" else 0.0
            without[:, slot] = self.difference(edited)
        return without

    def _chunks(self) -> Sequence[Tensor]:
        return torch.arange(len(self.ids), device=self.ids.device).split(MAX_ROWS)
