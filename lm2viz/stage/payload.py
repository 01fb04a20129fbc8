"""The payload: one story read by one model, in the JSON that the stage draws.

The same JSON is made here from a trace, and in the browser by payload.js from the model itself; a test holds
the two against each other. Numbers are rounded to four digits. Words are tokens.

    schema      1
    model       name, n_slots, blocks (those with memory); with a model at hand n_parameters, n_words
    sentences   of each: text, words
    steps       after each sentence:
        writes      (n_blocks, n_words, n_slots) in [0, 1]: each word's share of the slot's update times
                    the root mean square of what it adds there (input gate times candidate), after edits
        keep        (n_slots,) in [0, 1]: what the forget gates of all blocks together leave, mean over width
        change      (n_slots,) in [0, 1]: root mean square of the slot's change
        sources     (n_sentences + 1, n_slots): signed share of the slot's content that each sentence wrote,
                    the start bank last; sums to 1 over sources (``SlotSources.written``)
        names       what probes decode, and whether answers use it, see ``slot_names``; or the words of the
                    slot lens, each the value of the fact "word of SLOT"
    named_by    "lens" where names are the slot lens's; absent where they are the probes'
    probes      see ``probes_as_json``, without weights; for the names' accuracy and controls
    questions   of each: text, words, and steps, from 0 sentences read (the control: a fresh bank) to all:
        answers     the six most probable words, each [word, probability]
        reads       (n_blocks, n_slots) in [0, 1]: attention of the last word, mean over heads, times its
                    output gate, mean over the width
        right       the true answer, null where the sentences do not tell; absent where that is not known: in
                    the browser of a story that the page does not know, and of sentences in words of their own
    edits       the interventions that were applied, as ``lm2viz.causal`` writes them; empty: none
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lm2core.babi.known_facts import KnownFacts
from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.provenance.decomposition import decompositions, shares
from lm2viz.provenance.traces import check_story_trace
from lm2viz.stage.slot_probes import Json, slot_names
from lm2viz.story.select import keep_by_sentence, size_of

SCHEMA = 1
TINY, ROUNDING = 1e-30, 1e-3  # of gates in float32


def trace_payload(trace: Trace, *, story: int = 0, probes: Sequence[Json] = ()) -> Json:
    """What the stage draws of one story of a trace, without questions: those need the model.

    Raises
    ------
    UserError
        When the trace lacks the hooks of the write, or has no such story.
    """
    check_story_trace(trace, "copies")
    if not 0 <= story < len(trace.tokens):
        raise UserError(f"no story {story} in the trace; it has 0 to {len(trace.tokens) - 1}")
    told = trace.info["stories"][story] if "stories" in trace.info else {}
    words = trace.tokens[story]
    texts = told.get("sentences") or [" ".join(each) for each in words]
    return {
        "schema": SCHEMA,
        "model": {
            "name": str(trace.info.get("model", "an LM2")),
            "n_slots": trace.select("hook_bank", story=story, segment=0).shape[0],
            "blocks": list(trace.blocks),
        },
        "sentences": [{"text": text, "words": each} for text, each in zip(texts, words, strict=True)],
        "steps": _steps(trace, story, probes, told.get("facts") or [{} for _ in words]),
        "probes": [
            {name: value for name, value in probe.items() if name not in ("weights", "bias")}
            for probe in probes
        ],
        "questions": [],
        "edits": [],
    }


def _steps(trace: Trace, story: int, probes: Sequence[Json], known: Sequence[KnownFacts]) -> list[Json]:
    steps, mentioned, words = [], set[str](), trace.tokens[story]
    first_block = trace.blocks[0]
    for s, parts in enumerate(decompositions(trace, story, len(words), "copies")):
        bank = trace.select("hook_bank", story=story, segment=s).astype(float)
        before = trace.select(f"blocks.{first_block}.mem.hook_bank_pre", story=story, segment=s)
        mentioned |= {word.lower() for word in words[s]}
        writes = [written_by_words(trace, s, block, story=story) for block in trace.blocks]
        steps.append(
            {
                "writes": rounded(np.stack(writes)),
                "keep": rounded(keep_by_sentence(trace, s, story=story)),
                "change": rounded(size_of(bank - before)),
                "sources": rounded(shares(parts.written[[*range(s + 1), -1]], bank)),
                "names": slot_names(probes, bank, mentioned, known[s]),
            }
        )
    return steps


def written_by_words(trace: Trace, segment: int, block: int, *, story: int = 0) -> Array:
    """What each token of a segment adds to each slot, ndarray (n_tokens, n_slots) in [0, 1].

    Its share of the slot's update times the root mean square over the width of input gate times candidate;
    where an edit holds the slot's gate or its write, what is then left of it.
    """
    where = {"story": story, "segment": segment}
    n_tokens = len(trace.tokens[story][segment])
    gate, candidate = (
        trace.select(f"blocks.{block}.mem.{hook}", **where)[:n_tokens]
        for hook in ("hook_gate_in_token", "hook_candidate")
    )
    shares_of_words = trace.write_shares(block, story=story, segment=segment)
    written: Array = shares_of_words * size_of(gate * candidate)[:, None]
    for slot, left in _left_by_edits(trace, block, where, shares_of_words.T @ gate).items():
        written[:, slot] = size_of(shares_of_words[:, [slot]] * gate * candidate * left)
    return written


def _left_by_edits(trace: Trace, block: int, where: dict[str, int], gate_NW: Array) -> dict[int, Array]:
    """Of each slot whose write was edited, what is left of it, (width,).

    gate_NW : what the words' input gates let into each slot, (n_slots, width)
    """
    hooks = [f"blocks.{block}.mem.{name}" for name in ("hook_gate_in", "hook_write")]
    if not all(hook in trace.arrays for hook in hooks):
        return {}  # a trace of fewer hooks, which no edit was recorded in
    edited, write = (trace.select(hook, **where) for hook in hooks)
    left = edited / np.maximum(gate_NW, TINY) * write.any(axis=-1, keepdims=True)
    is_edited = np.abs(left - 1).max(axis=-1) > ROUNDING
    return {int(slot): left[slot] for slot in np.flatnonzero(is_edited)}


def rounded(values: Array) -> Any:
    """Nested lists of the values to four digits; null where there is none."""
    values = np.round(values.astype(float), 4)
    return np.where(np.isfinite(values), values.astype(object), np.array(None)).tolist()
