"""LM2: a decoder-only Transformer with a memory bank that can be watched and edited.

Names are imported on first use, so that opening a trace or printing help does not import torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "Answer": "reading.answers",
    "LM2Config": "model.config",
    "LM2ForCausalLM": "model.causal_lm",
    "LM2Output": "model.output",
    "LoadedModel": "reading.loaded_model",
    "ReferenceForCausalLM": "reference.causal_lm",
    "Trace": "traces.trace",
    "TraceFolder": "traces.folder",
    "UserError": "errors",
    "ask": "reading.answers",
    "ask_many": "reading.many_questions",
    "bank_after": "reading.answers",
    "capture": "traces.recording",
    "capture_generation": "traces.recording",
    "load": "reading.checkpoints",
    "load_bank": "reading.saved_bank",
    "make_stories": "babi.tasks",
    "read_babi": "babi.text",
    "read_stories": "reading.answers",
    "read_story": "reading.answers",
    "record_questions": "reading.story_traces",
    "save_bank": "reading.saved_bank",
    "save_memory": "reading.memory_weights",
    "shipped_models": "reading.checkpoints",
    "untrained": "reading.loaded_model",
}

__all__ = [  # noqa: F822
    "Answer",
    "LM2Config",
    "LM2ForCausalLM",
    "LM2Output",
    "LoadedModel",
    "ReferenceForCausalLM",
    "Trace",
    "TraceFolder",
    "UserError",
    "ask",
    "ask_many",
    "bank_after",
    "capture",
    "capture_generation",
    "load",
    "load_bank",
    "make_stories",
    "read_babi",
    "read_stories",
    "read_story",
    "record_questions",
    "save_bank",
    "save_memory",
    "shipped_models",
    "untrained",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lm2core' has no attribute {name!r}; it has: {', '.join(__all__)}")
    if name.endswith("ForCausalLM"):
        # Registers every model of the package with the Auto classes.
        for module in ("baselines.architectures", "reference.causal_lm"):
            import_module(f"lm2core.{module}")
    return getattr(import_module(f"lm2core.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return __all__
