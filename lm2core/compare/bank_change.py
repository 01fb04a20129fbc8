"""What the memory does at test time: how much each block changes the bank while a story is read.

The paper shows a plot of it (section 4.5) without numbers. Here it is the relative change of the bank,
|post - pre| / |pre| over all slots, by one segment and block, divided by the number of tokens of the segment.
"""

from typing import Any

import numpy as np

from lm2core.compare.story_set import StorySet
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import encode_segments
from lm2core.traces.recording import capture

N_STORIES = 32
N_CONTEXT_SENTENCES = 10  # sentences before the measured ones, because a fresh bank changes more
N_MEASURED = 10  # sentences


def bank_change(lm: LoadedModel, task: str) -> list[dict[str, Any]]:
    """Mean change of the bank per token, by block and by what is read.

    statements : the story continues as the task generates it
    noise : moves of people whom the question is not about, see ``StorySet``
    repeats : the last sentence repeated, which adds nothing new
    """
    n_all = N_CONTEXT_SENTENCES + N_MEASURED
    continued = [s.sentences for s in StorySet(task=task, n_told=n_all, n_stories=N_STORIES).stories()]
    noisy = StorySet(task=task, n_told=N_CONTEXT_SENTENCES, n_noise=N_MEASURED, n_stories=N_STORIES).stories()
    conditions = {
        "statements": continued,
        "noise": [s.sentences for s in noisy],
        "repeats": [
            s[:N_CONTEXT_SENTENCES] + s[N_CONTEXT_SENTENCES - 1 : N_CONTEXT_SENTENCES] * N_MEASURED
            for s in continued
        ],
    }
    return [
        {"reads": name, "block": block, "change_per_token": float(change), "n": N_STORIES * N_MEASURED}
        for name, stories in conditions.items()
        for block, change in _change(lm, stories).items()
    ]


def _change(lm: LoadedModel, stories: list[tuple[str, ...]]) -> dict[int, float]:
    """Mean by block with memory, over stories and over the segments after ``N_CONTEXT_SENTENCES``."""
    ids, mask = encode_segments(lm.tokenizer, stories)
    trace = capture(lm.model, ids, mask, names=["mem.hook_bank_pre", "mem.hook_bank_post"])
    pre, post = (trace.over_blocks(f"hook_bank_{when}") for when in ("pre", "post"))
    change = np.linalg.norm(post - pre, axis=(-2, -1)) / np.linalg.norm(pre, axis=(-2, -1))
    per_token = change / mask.sum(-1).numpy()  # (block, story, segment)
    return dict(zip(trace.blocks, per_token[..., N_CONTEXT_SENTENCES:].mean((1, 2)).tolist(), strict=True))
