"""The architectures a preset can be trained as: LM2 and baselines with the same number of parameters."""

import torch

from lm2core.baselines.armt import ARMTConfig, ARMTForCausalLM
from lm2core.baselines.base import Baseline
from lm2core.baselines.full_text import FullTextConfig, FullTextForCausalLM
from lm2core.baselines.rmt import RMTConfig, RMTForCausalLM
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, llama_fields
from lm2core.model.sizes import model_size, n_parameters

Model = LM2ForCausalLM | Baseline
ARCHITECTURES = ("lm2", "rmt", "armt", "llama-window", "llama-full")
# RMT's authors gained nothing above 32 memory tokens, and lost with 64 (arXiv:2406.10149, run logs of qa3).
MOST_MEMORY_TOKENS = 32
# ARMT's authors have keys of 64 at width 768, a twelfth of it. Here it is a quarter, up to their 64: with a
# twelfth, narrow models would have too few features of a key to keep facts apart.
KEYS_PER_WIDTH = 4
LARGEST_KEY = 64

BaselineConfig = RMTConfig | ARMTConfig | FullTextConfig


def make_model(config: LM2Config, architecture: str) -> Model:
    """An untrained LM2 of ``config``, or a baseline of its width, depth and number of parameters.

    architecture : "lm2"; "rmt", a Llama with as many memory tokens as LM2 has slots, at most
        ``MOST_MEMORY_TOKENS``; "armt", a Llama with as many memory tokens, and an associative memory in every
        layer; "llama-window", a Llama that sees one segment; "llama-full", a Llama that sees the whole text

    Raises a UserError for any other.
    """
    check_architecture(architecture)
    return LM2ForCausalLM(config) if architecture == "lm2" else _make(_matched(config, architecture))


def check_architecture(architecture: str) -> None:
    """Refuse an unknown architecture with a UserError that lists the known ones."""
    if architecture not in ARCHITECTURES:
        raise UserError(f"unknown architecture {architecture!r}; known: {', '.join(ARCHITECTURES)}")


def architecture_of(model: Model) -> str:
    """The architecture that ``make_model`` made ``model`` of."""
    config = model.config
    if isinstance(config, RMTConfig):
        return "rmt" if config.memory_slots else "llama-window"
    if isinstance(config, ARMTConfig):
        return "armt"
    return "llama-full" if isinstance(config, FullTextConfig) else "lm2"


def _matched(config: LM2Config, architecture: str) -> BaselineConfig:
    """The config of a baseline: the parameters of LM2's memory go into wider MLPs."""
    n_tokens = min(config.memory_slots, MOST_MEMORY_TOKENS)

    def of_width(intermediate_size: int) -> BaselineConfig:
        sizes = llama_fields(config) | {"intermediate_size": intermediate_size}
        if architecture == "llama-full":
            return FullTextConfig(**sizes)
        sizes["segment_length"] = config.segment_length
        if architecture == "armt":
            key_size = max(2, min(config.hidden_size // KEYS_PER_WIDTH, LARGEST_KEY))
            return ARMTConfig(**sizes, memory_slots=n_tokens, memory_key_size=key_size)
        return RMTConfig(**sizes, memory_slots=n_tokens if architecture == "rmt" else 0)

    with torch.device("meta"):
        n_plain = n_parameters(_make(of_width(config.intermediate_size)))
    per_unit = 3 * config.hidden_size * config.num_hidden_layers  # gate, up and down of every block
    more = round((model_size(config).n_parameters - n_plain) / per_unit)
    return of_width(config.intermediate_size + more)


def _make(config: BaselineConfig) -> Baseline:
    if isinstance(config, FullTextConfig):
        return FullTextForCausalLM(config)
    return ARMTForCausalLM(config) if isinstance(config, ARMTConfig) else RMTForCausalLM(config)
