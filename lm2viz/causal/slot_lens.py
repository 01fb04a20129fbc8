"""Slot lens: what a model answers when its question can read one slot alone.

A probe decodes a slot with a classifier of its own; the lens lets the model's own read, head and vocabulary
say what the slot holds, as the logit lens does for the residual stream. It is an intervention: in every block
with memory all attention of the question goes to the slot. The control is the same slot of a fresh bank.

Axes: R row (a slot of a bank), B, H, T, N, D as in lm2core/model/memory.py, V word.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.answers import all_banks, ask, bank_after
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import encode_questions, questions_at_once, typed_question
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import shown_words
from lm2core.text.tokenizer import check_words
from lm2core.traces.recording import hooked
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.causal.slot_lens_result import SlotLens, SlotWord, says_word
from lm2viz.provenance.decomposition import last_decomposition, shares
from lm2viz.provenance.traces import check_story_trace

WRITTEN_FROM = 0.02  # root mean square change of a slot since the fresh bank; gates are never quite shut


def words_read_alone(
    lm: LoadedModel, question: str, banks_RND: Tensor, slots: Sequence[int]
) -> tuple[list[str], list[float], Tensor]:
    """The question asked R times, row r of ``slots[r]`` of ``banks_RND[r]`` alone.

    Returns
    -------
    words : list[str]
        The likeliest token of each row. Where a model has parts of words, it is the first of its answer.
    probabilities : list[float]
        Of these, in [0, 1].
    every : Tensor, shape (R, V)
        Probabilities of the whole vocabulary.

    Raises
    ------
    UserError
        For an empty question, unknown words, no slot, slots that do not exist, or another number of banks;
        for positional routing.
    """
    config, text = lm.model.config, typed_question(lm, question)
    if config.routing == "positional":
        raise UserError("slots of positional routing are token positions; use a model with routing='content'")
    if len(banks_RND) != len(slots) or not len(slots):
        raise UserError(f"{len(banks_RND)} banks for {len(slots)} slots; give as many, and at least one")
    if bad := [slot for slot in slots if not 0 <= slot < config.memory_slots]:
        raise UserError(f"no slot {bad[0]}; the model has slots 0 to {config.memory_slots - 1}")
    check_words(lm.tokenizer, [text])
    ids, mask = encode_questions(lm, [text])
    slots_R = torch.tensor(list(slots), dtype=torch.long, device=ids.device)
    parts = []
    for rows in torch.arange(len(slots_R)).split(questions_at_once(lm, ids.shape[1])):
        with hooked(lm.model, _read_only(config.memory_blocks, slots_R[rows])):
            logits = answer_logits(lm.model, ids, mask, banks_RND[rows].to(ids.device))
        parts.append(logits.float().softmax(-1))
    every = torch.cat(parts)
    probability, best = every.max(-1)
    return shown_words(lm.tokenizer, best.tolist()), probability.tolist(), every


def _read_only(blocks: Sequence[int], slots_R: Tensor) -> list[tuple[str, Any]]:
    """Hooks that turn all attention of row r to slot ``slots_R[r]``."""

    def turn(pattern_RHTN: Tensor, *, hook: Any) -> Tensor:
        only_R11N = torch.nn.functional.one_hot(slots_R, pattern_RHTN.shape[-1])[:, None, None]
        return only_R11N.to(pattern_RHTN.dtype).expand_as(pattern_RHTN)

    return [(f"blocks.{block}.mem.hook_read_pattern", turn) for block in blocks]


def slot_words(
    lm: LoadedModel, question: str, banks_RND: Tensor, slots: Sequence[int]
) -> list[tuple[str, float, float]]:
    """As ``words_read_alone``: of each row the word, its probability, and that from the same slot, fresh."""
    words, probabilities, every = words_read_alone(lm, question, banks_RND, slots)
    own = sorted(set(slots))
    _, _, of_fresh = words_read_alone(lm, question, lm.model.new_memory(1).expand(len(own), -1, -1), own)
    row = torch.tensor([own.index(slot) for slot in slots], device=every.device)
    controls = of_fresh[row, every.argmax(-1)].tolist()
    return list(zip(words, probabilities, controls, strict=True))


def words_by_step(lm: LoadedModel, trace: Trace, question: str) -> list[dict[int, tuple[str, float]]]:
    """After each sentence of a story, for each slot that says a word: the word and its probability.

    A slot is read anew when it has changed since it was last read; until then it keeps its word.
    """
    banks = all_banks(trace, lm.model)
    steps, slots = _changed(banks)
    said = slot_words(lm, question, banks[1:][steps], slots) if steps else []
    by_step: list[dict[int, tuple[str, float]]] = [{}]
    for step in range(len(banks) - 1):
        words = dict(by_step[-1])
        for at, slot, (word, probability, control) in zip(steps, slots, said, strict=True):
            if at == step:
                words.pop(slot, None)
                if says_word(probability, control):
                    words[slot] = word, probability
        by_step.append(words)
    return by_step[1:]


def _changed(banks_SND: Tensor) -> tuple[list[int], list[int]]:
    """Steps and slots at which a slot has changed since the fresh bank, or since it last was listed."""
    steps, slots, last_ND = [], [], banks_SND[0].clone()
    for step, bank_ND in enumerate(banks_SND[1:]):
        moved = ((bank_ND - last_ND).square().mean(-1).sqrt() >= WRITTEN_FROM).nonzero()[:, 0]
        last_ND[moved] = bank_ND[moved]
        steps += [step] * len(moved)
        slots += moved.tolist()
    return steps, slots


def slot_lens(lm: LoadedModel, trace: Trace, question: str, *, n_sentences: int | None = None) -> SlotLens:
    """What each slot that a story wrote to makes the question say, who wrote it, and whether it is read.

    trace : of one story, as ``read_story`` recorded it with this model
    n_sentences : how many have been read; None: all

    Raises
    ------
    UserError
        As ``words_read_alone``; for a trace of other weights, of several stories or without the hooks of the
        write, and for a sentence that it does not have.
    """
    check_story_trace(trace, "copies")
    n = len(trace.tokens[0]) if n_sentences is None else n_sentences
    bank, fresh = bank_after(trace, n, lm.model), lm.model.new_memory(1)
    changed = (bank - fresh)[0].square().mean(-1).sqrt()
    slots = (changed >= WRITTEN_FROM).nonzero()[:, 0].tolist()
    answer = ask(lm, question, bank)
    rows: tuple[SlotWord, ...] = ()
    if slots:
        said = zip(*slot_words(lm, question, bank.expand(len(slots), -1, -1), slots), strict=True)
        sentence, share = _written_by(trace, n, slots)
        attention = _attention(answer.trace)[slots].tolist()
        columns = (slots, *said, sentence, share, attention)
        rows = tuple(SlotWord(*row) for row in zip(*columns, strict=True))
    return SlotLens(
        model=lm.name,
        question=str(answer.trace.info["question"]),
        answer=answer.words[0],
        probability=answer.probabilities[0],
        sentences=tuple(_texts(trace)[:n]),
        n_slots=bank.shape[1],
        rows=rows,
    )


def _texts(trace: Trace) -> list[str]:
    told = trace.info["stories"][0]["sentences"] if "stories" in trace.info else None
    return list(told or (" ".join(words) for words in trace.tokens[0]))


def _written_by(trace: Trace, n_sentences: int, slots: Sequence[int]) -> tuple[list[int], list[float]]:
    """The sentence, from 1, that wrote the largest share of each slot, and that share."""
    parts = last_decomposition(trace, 0, n_sentences, "copies")
    bank = trace.select("hook_bank", story=0, segment=n_sentences - 1).astype(float)
    of_sentences = shares(parts.written, bank)[:n_sentences, slots]
    return (of_sentences.argmax(0) + 1).tolist(), of_sentences.max(0).tolist()


def _attention(question_trace: Trace) -> Array:
    """Attention (N,) of the question's last word to the slots, mean over heads and blocks with memory."""
    last = len(question_trace.tokens[0][0]) - 1
    patterns = [
        question_trace.select(f"blocks.{block}.mem.hook_read_pattern", story=0, segment=0)[:, last].mean(0)
        for block in question_trace.blocks
    ]
    mean: Array = np.mean(patterns, axis=0)
    return mean
