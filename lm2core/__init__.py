"""LM2: a decoder-only Transformer with a memory bank that can be watched and edited.

Names are loaded when they are first used, so that opening a trace or asking for help imports no torch.
"""

from importlib import import_module
from typing import Any

_HOME = {
    "LM2Config": "model.config",
    "LM2ForCausalLM": "model.causal_lm",
    "LM2Output": "model.causal_lm",
    "ReferenceForCausalLM": "reference.causal_lm",
    "Trace": "traces.trace",
    "capture": "traces.recording",
    "capture_generation": "traces.recording",
}

__all__ = [
    "LM2Config",
    "LM2ForCausalLM",
    "LM2Output",
    "ReferenceForCausalLM",
    "Trace",
    "capture",
    "capture_generation",
]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'lm2core' has no attribute {name!r}; it has: {', '.join(__all__)}")
    if name.endswith("ForCausalLM"):
        for module in (
            "baselines.architectures",
            "reference.causal_lm",
        ):  # the Auto classes then know every model of the package
            import_module(f"lm2core.{module}")
    return getattr(import_module(f"lm2core.{_HOME[name]}"), name)
