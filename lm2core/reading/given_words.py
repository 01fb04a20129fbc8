"""The word that a model gives as its answer: its own most likely continuation until the word ends.

Axes: Q question, T token, V word or part of a word.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lm2core.english.openings import as_prompt
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import has_parts_of_words, token_texts
from lm2core.text.tokenizer import encode_segments

MAX_TOKENS = 16  # of one word; no English word has as many
MAX_LOGITS = 2**24  # at a time, 64 MB: with 50,000 words a few questions have as many


def story_question(lm: LoadedModel, text: str) -> str:
    """The text that a question of a story is asked with: with parts of words, a prompt (openings.py)."""
    return as_prompt(text) if has_parts_of_words(lm.tokenizer) else text


def typed_question(lm: LoadedModel, text: str) -> str:
    """As ``story_question``, for a question that may lack its question mark; a UserError if it is empty."""
    if has_parts_of_words(lm.tokenizer):
        return as_prompt(text)
    if not text.strip():
        raise UserError("the question is empty; ask for example: Where is Mary?")
    return text.strip() if text.strip().endswith("?") else text.strip() + "?"


def encode_questions(lm: LoadedModel, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ids and mask (Q,T) of questions, each a segment of its own, on the model's device."""
    ids, mask = encode_segments(lm.tokenizer, [[text] for text in texts])
    return ids[:, 0].to(lm.model.device), mask[:, 0].to(lm.model.device)


def questions_at_once(lm: LoadedModel, n_tokens: int) -> int:
    """How many questions of ``n_tokens`` can be asked together."""
    return max(1, MAX_LOGITS // (n_tokens * lm.model.config.vocab_size))


def answer_logits(model: nn.Module, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> Tensor:
    """Logits (Q,V) after the last word of each question, which reads its own memory without changing it."""
    logits_QTV = model(ids_QT[:, None], mask_QT[:, None], memory, write_memory=False).logits[:, 0]
    return logits_QTV[torch.arange(len(ids_QT), device=ids_QT.device), mask_QT.sum(-1) - 1]


@torch.no_grad()
def given_words(
    lm: LoadedModel, ids_QT: Tensor, mask_QT: Tensor, memory: Any, logits_QV: Tensor | None = None
) -> list[tuple[str, float]]:
    """The word that each question is answered with, and its probability in [0, 1], from its own memory.

    Each next token is the most likely one, until it begins with a space or is punctuation or the end of the
    text. The probability is the product of those of the word's tokens. The memory is not changed.

    logits_QV : those after the questions, if they are known
    """
    if logits_QV is None:
        logits_QV = answer_logits(lm.model, ids_QT, mask_QT, memory)
    probability_Q, best_Q = logits_QV.float().softmax(-1).max(-1)
    if not has_parts_of_words(lm.tokenizer):
        words = lm.tokenizer.convert_ids_to_tokens(best_Q.tolist())
        return list(zip(words, probability_Q.tolist(), strict=True))
    texts = token_texts(lm.tokenizer, best_Q.tolist())
    given_ids, given = [[token] for token in best_Q.tolist()], probability_Q.tolist()
    unfinished = {q for q, text in enumerate(texts) if text == " " or continues_word(text.lstrip())}
    while unfinished:
        ids_QT, mask_QT = _one_longer(ids_QT, mask_QT, ids_QT.new_tensor([ids[-1] for ids in given_ids]))
        # Only banks can be chosen from; other memories are asked all questions again.
        rows = sorted(unfinished) if isinstance(memory, Tensor) else list(range(len(given_ids)))
        banks = memory[rows] if isinstance(memory, Tensor) else memory
        logits = answer_logits(lm.model, ids_QT[rows], mask_QT[rows], banks)
        probability, best = logits.float().softmax(-1).max(-1)
        texts = token_texts(lm.tokenizer, best.tolist())
        for q, text, token, share in zip(rows, texts, best.tolist(), probability.tolist(), strict=True):
            if not continues_word(text) or len(given_ids[q]) == MAX_TOKENS:
                unfinished.discard(q)
            if q in unfinished:
                given_ids[q].append(token)
                given[q] *= share
    return [(_text(lm, ids), probability) for ids, probability in zip(given_ids, given, strict=True)]


def continues_word(text: str) -> bool:
    """Whether the text of a token goes on with a word: a letter, digit, accent, or part of a character."""
    return text[:1] in ("_", "\ufffd") or bool(text) and unicodedata.category(text[0])[0] in "LMN"


def _one_longer(ids_QT: Tensor, mask_QT: Tensor, token_Q: Tensor) -> tuple[Tensor, Tensor]:
    """The questions with one more token each."""
    at_Q1 = mask_QT.sum(-1, keepdim=True)
    ids_QT = F.pad(ids_QT, (0, 1)).scatter(1, at_Q1, token_Q[:, None])
    return ids_QT, F.pad(mask_QT, (0, 1)).scatter(1, at_Q1, 1)


def _text(lm: LoadedModel, ids: Sequence[int]) -> str:
    """The word that tokens make together."""
    tokens = lm.tokenizer.convert_ids_to_tokens(ids)
    text: str = lm.tokenizer.backend_tokenizer.decoder.decode(tokens).strip()
    return text or repr("".join(tokens))[1:-1]
