"""An LM2 or a baseline as the evaluation harness calls it: log-likelihoods and greedy continuations.

Every request starts with a fresh memory. No text is truncated: a text that is longer than a segment is read
segment by segment, with the earlier ones in memory. Axes: see memory.py, plus V vocabulary.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from textwrap import shorten
from typing import Any

import torch
from lm_eval.api.instance import Instance
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs, postprocess_generated_text
from torch import Tensor
from tqdm.auto import tqdm
from transformers import StoppingCriteria

from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import check_words

PIECE_TOKENS = 1024  # logits are computed for about this many tokens of a text at a time
MOST_NEW_TOKENS = 256  # if a task sets no limit; the harness's own default
MOST_CHARS_NAMED = 200  # of the list of words in an error message


class HarnessModel(TemplateLM):
    """LM2 or a baseline behind the harness's three calls.

    Up to rounding, results do not depend on the order of the requests or on ``batch_size``.
    """

    def __init__(self, lm: LoadedModel, *, batch_size: int = 8) -> None:
        super().__init__()
        self.tokenizer = lm.tokenizer
        self.batch_size = batch_size
        self._name = lm.name
        self._model = lm.model.eval()
        self._device = lm.model.device

    @property
    def eot_token_id(self) -> int | None:
        """The id that ends a text, or None if the tokenizer has none."""
        return self.tokenizer.eos_token_id

    @property
    def prefix_token_id(self) -> int:
        """The id that begins a text without context; a UserError if the tokenizer has none."""
        for token in (self.tokenizer.bos_token_id, self.tokenizer.eos_token_id):
            if token is not None:
                return token
        raise UserError(
            f"the tokenizer of {self._name} has no token that begins a text, so the first word of a text has "
            "no probability; omit tasks that score whole texts, or use a model trained with lm2 train --text"
        )

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Ids of a text; the tokenizer decides on special tokens, as in the harness's own models.

        A text with words that the tokenizer does not know is refused with a UserError: a score without them
        would be meaningless.
        """
        try:
            check_words(self.tokenizer, [string])
        except UserError as error:
            words = shorten(str(error), MOST_CHARS_NAMED, placeholder=" ...")
            raise UserError(
                f"{self._name} cannot read this task: {words}; "
                "use a model trained on similar text (lm2 train --text), or a task in words it knows"
            ) from None
        chosen = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        return list(self.tokenizer(string, verbose=False, **chosen)["input_ids"])

    def loglikelihood_rolling(self, requests: list[Instance], disable_tqdm: bool = False) -> list[float]:
        """Log-probability (nats) of each whole text, however long, after the token that begins a text."""
        texts = [
            [self.prefix_token_id, *self.tok_encode(request.args[0], add_special_tokens=False)]
            for request in requests
        ]
        scores = self._scores(texts, [len(text) - 1 for text in texts], disable_tqdm)
        return [log_probability for log_probability, _ in scores]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """Greedy continuation of each context until a stop sequence or the task's limit.

        The stop sequence is not part of the result. A UserError for a task that samples tokens.
        """
        contexts = [self.tok_encode(request.args[0]) or [self.prefix_token_id] for request in requests]
        alike: dict[tuple[int, tuple[str, ...]], list[int]] = defaultdict(list)
        for i, request in enumerate(requests):
            options = normalize_gen_kwargs(request.args[1], default_max_gen_toks=MOST_NEW_TOKENS)
            if options["do_sample"]:
                raise UserError(
                    f"task {request.task_name} samples tokens (do_sample), but only greedy continuations are "
                    "supported; omit the task"
                )
            alike[options["max_gen_toks"], tuple(filter(None, options["until"]))].append(i)
        texts = [""] * len(requests)
        for (n_new, stops), members in alike.items():
            for chosen in self._batches(contexts, members, "generate_until", disable_tqdm):
                continued = self._continue([contexts[i] for i in chosen], n_new, stops)
                for i, new_ids in zip(chosen, continued, strict=True):
                    text = self.tokenizer.decode(self._before_end(new_ids), skip_special_tokens=True)
                    texts[i] = postprocess_generated_text(text, list(stops), None)
        return texts

    def _loglikelihood_tokens(
        self,
        requests: list[tuple[tuple[str, str], list[int], list[int]]],
        disable_tqdm: bool = False,
        **_: Any,
    ) -> list[tuple[float, bool]]:
        """Log-probability (nats) of each continuation, and whether greedy generation would write it."""
        for (context, continuation), _ids, new_ids in requests:
            if not new_ids:
                raise UserError(
                    f"{self._name}: {continuation!r} has no token of its own after {context[-20:]!r}; "
                    "begin the task's choices with a space, or use another tokenizer"
                )
        texts = [context + continuation for _, context, continuation in requests]
        return self._scores(texts, [len(continuation) for *_, continuation in requests], disable_tqdm)

    def _scores(
        self, texts: Sequence[list[int]], n_scored: Sequence[int], disable_tqdm: bool
    ) -> list[tuple[float, bool]]:
        """Log-probability of the last ``n_scored`` tokens of each text, and whether each is the likeliest.

        Texts that differ only in their last token, such as the choices A to D, are run once.
        """
        same_input: dict[tuple[int, ...], list[int]] = defaultdict(list)
        for i, text in enumerate(texts):
            same_input[tuple(text[:-1])].append(i)
        inputs = list(same_input)
        scores: list[tuple[float, bool]] = [(0.0, True)] * len(texts)
        runnable = [row for row, ids in enumerate(inputs) if ids]  # a text of one token has none to score
        for chosen in self._batches(inputs, runnable, "loglikelihood", disable_tqdm):
            for start, logits_BTV in self._logits([inputs[row] for row in chosen]):
                for b, i in ((b, i) for b, row in enumerate(chosen) for i in same_input[inputs[row]]):
                    n_input = len(texts[i]) - 1
                    first, end = max(n_input - n_scored[i], start), min(n_input, start + logits_BTV.shape[1])
                    if first < end:
                        new = _score(
                            logits_BTV[b, first - start : end - start], texts[i][first + 1 : end + 1]
                        )
                        scores[i] = (scores[i][0] + new[0], scores[i][1] and new[1])
        return scores

    def _batches(
        self, texts: Sequence[Sequence[int]], members: list[int], what: str, disable_tqdm: bool
    ) -> Iterator[list[int]]:
        """Batches of ``members``, the longest texts first, so that a lack of memory shows at once."""
        order = sorted(members, key=lambda i: -len(texts[i]))
        starts = range(0, len(order), self.batch_size)
        for start in tqdm(starts, desc=what, disable=disable_tqdm):
            yield order[start : start + self.batch_size]

    @torch.no_grad()
    def _logits(self, texts: Sequence[Sequence[int]]) -> Iterator[tuple[int, Tensor]]:
        """Logits (B,T,V) of a batch of texts from a fresh memory, by pieces, with the start of each piece.

        A piece is several whole segments and passes its memory on, so the result is that of the whole text.
        """
        ids_BT, mask_BT = self._padded(texts, on_left=False)
        length = getattr(self._model.config, "segment_length", 1)  # a Llama of the full text has no segments
        n_piece = length * max(1, PIECE_TOKENS // length)
        memory = None
        for start in range(0, ids_BT.shape[1], n_piece):
            piece = slice(start, start + n_piece)
            output = self._model(ids_BT[:, piece], mask_BT[:, piece], memory)
            memory = output.memory
            yield start, output.logits

    @torch.no_grad()
    def _continue(
        self, texts: Sequence[Sequence[int]], n_new: int, stops: tuple[str, ...]
    ) -> list[list[int]]:
        """Ids that greedy generation adds to each text: ``n_new``, or fewer when every text has ended."""
        ids_BT, mask_BT = self._padded(texts, on_left=True)
        n_given = ids_BT.shape[1]
        has_ended = _HasEnded(self, n_given, stops)
        if self._model.can_generate():
            ids_BT = self._model.generate(
                ids_BT,
                attention_mask=mask_BT,
                max_new_tokens=n_new,
                do_sample=False,
                stopping_criteria=[has_ended],
                pad_token_id=0,
            )
            return ids_BT[:, n_given:].tolist()
        for _ in range(n_new):  # baselines have no generate(): run the whole text for every token
            best_B1 = self._model(ids_BT, mask_BT).logits[:, -1:].argmax(-1)
            ids_BT, mask_BT = torch.cat([ids_BT, best_B1], 1), torch.cat([mask_BT, mask_BT[:, -1:]], 1)
            if has_ended(ids_BT).all():
                break
        return ids_BT[:, n_given:].tolist()

    def _padded(self, texts: Sequence[Sequence[int]], *, on_left: bool) -> tuple[Tensor, Tensor]:
        """Ids and mask (B,T) of a batch, on the model's device."""
        width = max(len(text) for text in texts)
        ids_BT = torch.zeros(len(texts), width, dtype=torch.long)
        mask_BT = torch.zeros_like(ids_BT)
        for b, text in enumerate(texts):
            place = slice(width - len(text), width) if on_left else slice(len(text))
            ids_BT[b, place], mask_BT[b, place] = torch.tensor(text), 1
        return ids_BT.to(self._device), mask_BT.to(self._device)

    def _before_end(self, ids: list[int]) -> list[int]:
        """The ids before the first one that ends a text."""
        return ids[: ids.index(self.eot_token_id)] if self.eot_token_id in ids else ids


class _HasEnded(StoppingCriteria):
    """Stopping criterion: the id that ends a text, or a stop sequence, per text of the batch."""

    def __init__(self, model: HarnessModel, n_given: int, stops: tuple[str, ...]) -> None:
        self._model, self._n_given, self._stops = model, n_given, stops

    def __call__(self, input_ids: Tensor, scores: Any = None, **_: Any) -> Tensor:
        new = input_ids[:, self._n_given :].tolist()
        return torch.tensor([self._is_ended(ids) for ids in new], device=input_ids.device)

    def _is_ended(self, ids: list[int]) -> bool:
        if self._model.eot_token_id in ids:
            return True
        text = self._model.tokenizer.decode(ids, skip_special_tokens=True) if self._stops else ""
        return any(stop in text for stop in self._stops)


def _score(logits_TV: Tensor, ids: list[int]) -> tuple[float, bool]:
    """Log-probability (nats) of ``ids``, one per row of logits, and whether each is the likeliest."""
    target_T = torch.tensor(ids, device=logits_TV.device)
    log_probability_TV = logits_TV.float().log_softmax(-1)
    total = log_probability_TV.gather(1, target_T[:, None]).sum()
    return float(total), bool((logits_TV.argmax(-1) == target_T).all())
