"""Ask a model about a story: read it sentence by sentence, keep every bank, answer from one of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedTokenizerBase

from lm2core.hooks import match_hooks
from lm2core.model import LM2ForCausalLM
from lm2core.recording import MEMORY_HOOKS, capture, recording
from lm2core.tokenizer import check_words, encode_segments
from lm2core.trace import Trace


@dataclass(frozen=True, slots=True)
class Reader:
    """A model with its tokenizer, under the name it was asked for."""

    name: str
    model: LM2ForCausalLM
    tokenizer: PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model answers.

    words, probabilities : the whole vocabulary, likeliest first; probabilities in [0, 1] sum to 1
    trace : what the question read from the bank: one story, one segment
    """

    words: tuple[str, ...]
    probabilities: tuple[float, ...]
    trace: Trace


def read_story(
    reader: Reader, sentences: Sequence[str], *, names: Sequence[str] = MEMORY_HOOKS, budget: str = "512MB"
) -> Trace:
    """Run a story, one sentence a segment, and record its memory.

    Raises
    ------
    ValueError
        For an empty story, unknown words (named, with the known ones) or a trace over the budget.
    """
    check_words(reader.tokenizer, sentences)
    ids, mask = encode_segments(reader.tokenizer, [sentences])
    return capture(
        reader.model,
        ids,
        mask,
        names=names,
        budget=budget,
        tokens=[[reader.tokenizer.tokenize(sentence) for sentence in sentences]],
        info={"model": reader.name, "sentences": list(sentences)},
    )


def answer_logits(model: nn.Module, ids_QT: Tensor, mask_QT: Tensor, bank_QND: Tensor) -> Tensor:
    """Logits (Q,V) after the last word of each question, asked of its own bank and leaving no trace there."""
    logits_QTV = model(ids_QT[:, None], mask_QT[:, None], bank_QND, write_memory=False).logits[:, 0]
    return logits_QTV[torch.arange(len(ids_QT), device=ids_QT.device), mask_QT.sum(-1) - 1]


def bank_after(trace: Trace, n_sentences: int, model: LM2ForCausalLM) -> Tensor:
    """The bank (1,N,D) a recorded story had after its first ``n_sentences``; 0 is a fresh bank."""
    if n_sentences == 0:
        return model.new_memory(1)
    bank = trace.select("hook_bank", story=0, segment=n_sentences - 1)
    return torch.tensor(bank, device=model.device, dtype=model.dtype)[None]


def ask(reader: Reader, question: str, bank: Tensor) -> Answer:
    """Answer ``question`` from ``bank`` (1,N,D); reading leaves no trace in the bank.

    Raises
    ------
    ValueError
        For an empty question or unknown words.
    """
    text = question.strip()
    if not text:
        raise ValueError("the question is empty; ask for example: Where is Mary?")
    text = text if text.endswith("?") else text + "?"
    check_words(reader.tokenizer, [text])
    ids, mask = (x[:, 0] for x in encode_segments(reader.tokenizer, [[text]]))
    names = match_hooks(
        ["mem.hook_read_pattern", "mem.hook_read", "mem.hook_gate_out", "hook_mem_out"], reader.model.config
    )
    with recording(reader.model, names) as recorder:
        (logits_V,) = answer_logits(reader.model, ids.to(bank.device), mask.to(bank.device), bank)
    probability, order = logits_V.float().softmax(-1).sort(descending=True)
    words = reader.tokenizer.convert_ids_to_tokens(order.tolist())
    trace = recorder.trace([[reader.tokenizer.tokenize(text)]], {"model": reader.name, "question": text})
    return Answer(tuple(words), tuple(probability.tolist()), trace)
