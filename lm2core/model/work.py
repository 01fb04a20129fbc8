"""The matrix work of a model, counted from its config: multiply-adds of one token in a segment.

Axes: see memory.py. Elementwise work (norms, gates, softmax) is not counted, as is usual.
"""

from dataclasses import dataclass

from transformers import LlamaConfig

from lm2core.model.config import LM2Config


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenWork:
    """Multiply-adds of one token: of the Llama's blocks, of the memory in them, and of the head."""

    blocks: float
    memory: float
    head: float

    @property
    def total(self) -> float:
        """All of them."""
        return self.blocks + self.memory + self.head

    @property
    def flops(self) -> float:
        """FLOP of a forward pass: a multiply-add is two."""
        return 2 * self.total


def token_work(config: LlamaConfig, n_tokens: int) -> TokenWork:
    """The work of one token in a segment of ``n_tokens``; causal attention sees half of them on average."""
    d, k = config.hidden_size, config.num_key_value_heads / config.num_attention_heads
    block = (2 + 2 * k) * d * d + 3 * d * config.intermediate_size + n_tokens * d
    memory = 0.0
    if isinstance(config, LM2Config):
        memory = len(config.memory_blocks) * _memory_work(config, n_tokens)
    return TokenWork(
        blocks=config.num_hidden_layers * block, memory=memory, head=float(d * config.vocab_size)
    )


def _memory_work(config: LM2Config, n_tokens: int) -> float:
    """The work of one token in one block's memory, with its share of the maps of the bank."""
    d, n, rank = config.hidden_size, config.memory_slots, config.memory_gate_rank
    gate = 2 * rank * d if rank else d * d
    token_maps = d * d + 3 * gate  # the query; W_out, W_forget, W_in
    if config.candidate == "token":
        token_maps += gate + d * d  # U_forget, W_c
    if config.routing == "positional":
        return token_maps + 2 * d * d * n / n_tokens + n * d  # keys and values; a causal read
    token_maps += 2 * d * d  # routing, and the query of the second read
    bank_maps = 5 * d * d * n / n_tokens  # keys and values twice, and routing keys
    return token_maps + bank_maps + 7 * n * d  # two reads, routing scores, and R with two factors
