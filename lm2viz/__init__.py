"""Analyses and plots of LM2 traces. Only ``lm2viz.causal`` and the commands need torch.

    from lm2core import load
    from lm2viz import StorySample, probe

    lm, sample = load("babi-qa1-3"), StorySample("qa1", 200)
    rows, control = (sample.rows(each) for each in sample.model_and_control(lm))
    print(probe(rows, untrained=control).summary())

What almost every user imports is here, under its name; the rest is in the subpackages. Names are loaded when
they are first used, so that opening a trace or asking for help imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lm2viz.causal import (
        BlockRead,
        ClampGate,
        Erase,
        Freeze,
        Mean,
        Resample,
        ResetBank,
        Swap,
        Zero,
        ablate_sentences,
        attribute_answers,
        causal_map,
        causal_parts,
        effect,
        interchange,
        slot_gradients,
        slot_lens,
    )
    from lm2viz.probes import codelength, decay, learning_curve, probe
    from lm2viz.provenance import agreement, trace_answer, unroll
    from lm2viz.sample.rows import BankRows, bank_rows, read_labels
    from lm2viz.sample.story_sample import StorySample
    from lm2viz.slots import emergence, explain_slots, match_slots, top_contexts
    from lm2viz.stage.notebook import show
    from lm2viz.stats import bank_stats, compare_reads, gate_stats, map_slots
    from lm2viz.story.report import write_report

_HOME = {
    "BankRows": "sample.rows",
    "ClampGate": "causal",
    "Erase": "causal",
    "Freeze": "causal",
    "Mean": "causal",
    "Resample": "causal",
    "BlockRead": "causal",
    "ResetBank": "causal",
    "StorySample": "sample.story_sample",
    "Swap": "causal",
    "Zero": "causal",
    "ablate_sentences": "causal",
    "agreement": "provenance",
    "attribute_answers": "causal",
    "bank_rows": "sample.rows",
    "bank_stats": "stats",
    "causal_map": "causal",
    "causal_parts": "causal",
    "codelength": "probes",
    "compare_reads": "stats",
    "decay": "probes",
    "effect": "causal",
    "emergence": "slots",
    "explain_slots": "slots",
    "gate_stats": "stats",
    "interchange": "causal",
    "learning_curve": "probes",
    "map_slots": "stats",
    "match_slots": "slots",
    "probe": "probes",
    "read_labels": "sample.rows",
    "show": "stage.notebook",
    "slot_gradients": "causal",
    "slot_lens": "causal",
    "top_contexts": "slots",
    "trace_answer": "provenance",
    "unroll": "provenance",
    "write_report": "story.report",
}

__all__ = [
    "BankRows",
    "ClampGate",
    "Erase",
    "Freeze",
    "Mean",
    "Resample",
    "BlockRead",
    "ResetBank",
    "StorySample",
    "Swap",
    "Zero",
    "ablate_sentences",
    "agreement",
    "attribute_answers",
    "bank_rows",
    "bank_stats",
    "causal_map",
    "causal_parts",
    "codelength",
    "compare_reads",
    "decay",
    "effect",
    "emergence",
    "explain_slots",
    "gate_stats",
    "interchange",
    "learning_curve",
    "map_slots",
    "match_slots",
    "probe",
    "read_labels",
    "show",
    "slot_gradients",
    "slot_lens",
    "top_contexts",
    "trace_answer",
    "unroll",
    "write_report",
]


if not TYPE_CHECKING:  # a type checker shall know the names above and no others

    def __getattr__(name: str) -> Any:
        if name not in _HOME:
            raise AttributeError(f"module 'lm2viz' has no attribute {name!r}; it has: {', '.join(__all__)}")
        return getattr(import_module(f"lm2viz.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
