"""The word that a model gives as its answer: its own most likely continuation until the word ends.

Axes: Q question, T token, V word or part of a word.
"""

import unicodedata
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from lm2core.english.openings import as_prompt
from lm2core.errors import UserError
from lm2core.reading.continuing import Asked, CachedAsked
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
    """Ids and mask (Q,T) of questions as ``story_question``, each a segment, on the model's device."""
    ids, mask = encode_segments(lm.tokenizer, [[story_question(lm, text)] for text in texts])
    return ids[:, 0].to(lm.model.device), mask[:, 0].to(lm.model.device)


def questions_at_once(lm: LoadedModel, n_tokens: int) -> int:
    """How many questions of ``n_tokens`` can be asked together."""
    return max(1, MAX_LOGITS // (n_tokens * lm.model.config.vocab_size))


def ask_questions(lm: LoadedModel, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> Asked | CachedAsked:
    """Ask questions of their memories, so that ``given_words`` can continue them."""
    parts = has_parts_of_words(lm.tokenizer)
    if parts and CachedAsked.is_possible(lm.model, ids_QT.shape[1] + MAX_TOKENS):
        return CachedAsked.of(lm.model, ids_QT, mask_QT, memory)
    return Asked.of(lm.model, ids_QT, mask_QT, memory)


def greedy_answers(lm: LoadedModel, ids_QT: Tensor, mask_QT: Tensor, memory: Any) -> list[tuple[str, float]]:
    """What ``given_words`` says of questions that are asked now."""
    with torch.no_grad():
        return given_words(lm, ask_questions(lm, ids_QT, mask_QT, memory))


@torch.no_grad()
def given_words(lm: LoadedModel, asked: Asked | CachedAsked) -> list[tuple[str, float]]:
    """The word that each question is answered with, and its probability in [0, 1].

    Each next token is the most likely one, until it begins with a space or is punctuation or the end of the
    text. The probability is the product of those of the word's tokens. No memory is changed.
    """
    best, given = _best(asked.logits_QV)
    if not has_parts_of_words(lm.tokenizer):
        return list(zip(lm.tokenizer.convert_ids_to_tokens(best), given, strict=True))
    given_ids = [[token] for token in best]
    texts = token_texts(lm.tokenizer, best)
    # The questions whose words go on, in the order of the rows of ``asked``.
    going_on = [q for q, text in enumerate(texts) if text == " " or continues_word(text.lstrip())]
    rows = going_on
    while going_on:
        tokens = asked.logits_QV.new_tensor([given_ids[q][-1] for q in going_on], dtype=torch.long)
        asked = asked.next(tokens.new_tensor(rows), tokens)
        best, probabilities = _best(asked.logits_QV)
        texts = token_texts(lm.tokenizer, best)
        rows = [
            row
            for row, (q, text) in enumerate(zip(going_on, texts, strict=True))
            if continues_word(text) and len(given_ids[q]) < MAX_TOKENS
        ]
        going_on = [going_on[row] for row in rows]
        for q, row in zip(going_on, rows, strict=True):
            given_ids[q].append(best[row])
            given[q] *= probabilities[row]
    return [(_text(lm, ids), probability) for ids, probability in zip(given_ids, given, strict=True)]


def _best(logits_QV: Tensor) -> tuple[list[int], list[float]]:
    """The most likely token of each row, and its probability."""
    probability_Q, best_Q = logits_QV.float().softmax(-1).max(-1)
    return best_Q.tolist(), probability_Q.tolist()


def continues_word(text: str) -> bool:
    """Whether the text of a token goes on with a word: a letter, digit, accent, or part of a character."""
    return text[:1] in ("_", "\ufffd") or bool(text) and unicodedata.category(text[0])[0] in "LMN"


def _text(lm: LoadedModel, ids: Sequence[int]) -> str:
    """The word that tokens make together."""
    tokens = lm.tokenizer.convert_ids_to_tokens(ids)
    text: str = lm.tokenizer.backend_tokenizer.decoder.decode(tokens).strip()
    return text or repr("".join(tokens))[1:-1]
