"""Record the memory while one long sample is read, and which segments are facts or background."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from lm2core.babilong.samples import BabiLongSample
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import shown_words
from lm2core.text.tokenizer import check_words
from lm2core.traces.recording import capture
from lm2core.traces.trace import Trace

GATE_HOOKS = ("mem.hook_gate_in", "mem.hook_gate_in_token", "hook_bank")


def record_sample(
    lm: LoadedModel, sample: BabiLongSample, *, names: str | Sequence[str] = GATE_HOOKS, budget: str = "512MB"
) -> Trace:
    """Read a sample sentence by sentence, as ``predict_long`` does, without its question.

    A sentence longer than ``config.segment_length`` is cut into several segments. ``info["segments"]`` has
    for each segment its ``text``, the index of its ``piece`` of the sample, and the index of the ``fact``,
    None for background; ``info["n_unknown"]`` counts tokens that the tokenizer does not know.

    Raises
    ------
    UserError
        For facts or a question with unknown words, and a trace over the budget.
    """
    check_words(lm.tokenizer, [*sample.facts, sample.question])
    segments, ids = zip(*_segments(lm.tokenizer, sample, lm.model.config.segment_length), strict=True)
    unknown = lm.tokenizer.unk_token_id
    return capture(
        lm.model,
        pad_sequence([torch.tensor(row) for row in ids], batch_first=True)[None],
        pad_sequence([torch.ones(len(row), dtype=torch.long) for row in ids], batch_first=True)[None],
        names=names,
        budget=budget,
        tokens=[[shown_words(lm.tokenizer, row) for row in ids]],
        info={
            "model": lm.name,
            "task": sample.task,
            "length": sample.length,
            "question": sample.question,
            "answer": sample.answer,
            "segments": list(segments),
            "n_unknown": sum(row.count(unknown) for row in ids),
        },
    )


def _segments(
    tokenizer: PreTrainedTokenizerBase, sample: BabiLongSample, length: int
) -> Iterator[tuple[dict[str, Any], list[int]]]:
    """The description of each segment for ``info``, and its ids."""
    for number, piece in enumerate(sample.pieces):
        encoded = tokenizer(piece.text, return_offsets_mapping=True, verbose=False)
        ids, offsets = encoded["input_ids"], encoded["offset_mapping"]
        for start in range(0, len(ids), length):
            part = offsets[start : start + length]
            text = piece.text[part[0][0] : part[-1][1]]
            yield {"text": text, "piece": number, "fact": piece.fact}, ids[start : start + length]
