"""The payload of a story that a model reads and answers at every step; payload.py has the schema."""

from collections.abc import Mapping, Sequence

import numpy as np

from lm2core.babi.known_facts import KnownFacts, known_place, parse_facts
from lm2core.reading.answers import all_banks, ask_each, read_story
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import known_words
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.causal.slot_lens import words_by_step
from lm2viz.stage.payload import rounded, trace_payload
from lm2viz.stage.slot_probes import Json

N_ANSWERS = 6


def story_payload(
    lm: LoadedModel,
    sentences: Sequence[str],
    questions: Sequence[str],
    *,
    probes: Sequence[Json] = (),
    trace: Trace | None = None,
) -> Json:
    """Read a story, ask ``questions`` after every sentence, and return what the stage draws.

    probes : as ``probes_as_json`` gives them; without effect for a memory beside a Llama: its slots are given
        out as a story needs them, and are named by the slot lens
    trace : what ``read_story`` recorded of these sentences; None: they are read now

    Raises
    ------
    UserError
        As ``read_story`` and ``ask``: for an empty story or question, and for unknown words.
    """
    trace = read_story(lm, sentences) if trace is None else trace
    payload = trace_payload(trace, probes=probes)
    payload["model"] |= {
        "n_parameters": sum(p.numel() for p in lm.model.parameters()),
        "n_words": len(known_words(lm.tokenizer)),
    }
    told = parse_facts(sentences)
    known = [{}, *(told or [{} for _ in sentences])]
    if lm.is_beside_llama:
        payload["named_by"] = "lens"
        for step, words in zip(payload["steps"], words_by_step(lm, trace, questions[0]), strict=True):
            step["names"] = _lens_names(words)
    asked = [_question(lm, trace, text, known) for text in questions]
    if lm.is_beside_llama and told is None:  # in words of their own sentences may well tell what is right
        for step in (step for question in asked for step in question["steps"]):
            del step["right"]
    return payload | {"questions": asked}


def _lens_names(words: Mapping[int, tuple[str, float]]) -> list[Json]:
    """What the slot lens says of each slot, in the form of ``slot_names``."""
    return [
        {
            "fact": f"word of {slot}",
            "slot": slot,
            "value": word,
            "probability": round(probability, 4),
            "true": None,
            "beats_control": True,
            "used": None,
        }
        for slot, (word, probability) in sorted(words.items())
    ]


def _question(lm: LoadedModel, trace: Trace, text: str, known: Sequence[KnownFacts]) -> Json:
    answers, asked = ask_each(lm, text, all_banks(trace, lm.model), n_words=N_ANSWERS)
    shown = text if lm.is_beside_llama else str(asked.info["question"])  # without the answer's beginning
    return {
        "text": shown,
        "words": asked.tokens[0][0],
        "steps": [
            {
                "answers": [[word, round(probability, 4)] for word, probability in ranked],
                "reads": rounded(np.stack([_read_by_last_word(asked, k, b) for b in asked.blocks])),
                "right": known_place(shown, known[k]),
            }
            for k, ranked in enumerate(answers)
        ],
    }


def _read_by_last_word(trace: Trace, step: int, block: int) -> Array:
    where = {"story": step, "segment": 0}
    last = len(trace.tokens[step][0]) - 1
    pattern = trace.select(f"blocks.{block}.mem.hook_read_pattern", **where)[:, last].mean(axis=0)
    gate = trace.select(f"blocks.{block}.mem.hook_gate_out", **where)[last].mean()
    return np.asarray(pattern * gate)
