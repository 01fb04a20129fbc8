"""LM2Config: the sizes and options of an LM2, checked on construction.

Source: Kang et al. 2025, "LM2: Large Memory Models", arXiv:2502.06049, sections 2 and 3. The fields of a
Llama keep their names, so the config of a Llama checkpoint is a valid start.
"""

from dataclasses import fields
from difflib import get_close_matches
from typing import Any

from transformers import LlamaConfig
from transformers.activations import ACT2FN

from lm2core.errors import UserError

ROUTINGS = ("content", "positional")
CANDIDATES = ("token", "memory")
# Keys that transformers passes to a config in addition to its fields, when it loads, copies or converts one.
TRANSFORMERS_KEYS = {
    "model_type", "name_or_path", "_name_or_path", "output_attentions", "torch_dtype", "attn_implementation",
    "_attn_implementation", "num_labels",
}  # fmt: skip


class StrictConfig(LlamaConfig):
    """A Llama's config that refuses unknown, since misspelt, keys, but keeps those of a stored file."""

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse keys that neither this class nor transformers knows, with the nearest one: a UserError."""
        for key in kwargs:
            if key not in TRANSFORMERS_KEYS:
                near = get_close_matches(key, [f.name for f in fields(self)], n=1, cutoff=0.0)
                raise UserError(f"unknown config key {key}; did you mean {near[0]}?")
        super().__post_init__(**kwargs)

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoConfig") -> None:
        """Nothing: transformers would save a copy of this file with every model."""

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> Any:
        """From a stored config: keys of other tools, e.g. ``auto_map``, are kept as they are."""
        known = {f.name for f in fields(cls)} | TRANSFORMERS_KEYS
        own = {key: value for key, value in config_dict.items() if key in known}
        result = super().from_dict(own, **kwargs)
        config = result[0] if isinstance(result, tuple) else result
        for key, value in config_dict.items():
            if key not in known and not hasattr(config, key):
                setattr(config, key, value)
        return result


def llama_fields(config: LlamaConfig) -> dict[str, Any]:
    """The Llama fields of a config, from which to make another config."""
    values = {f.name: getattr(config, f.name) for f in fields(LlamaConfig) if f.init}
    values.pop("architectures", None)  # names the class that was saved
    return values


class LM2Config(StrictConfig):
    """Llama's config plus the memory bank.

    Parameters
    ----------
    memory_slots : int
        N, rows of the bank. Slot width is ``memory_width``, or else ``hidden_size``.
    memory_heads : int
        Heads of the memory read; must divide the slot width.
    memory_layers : list of int or None
        Blocks that read and write the bank (the paper's block ablation, section 4.3). None: all.
    memory_width : int or None
        Width of the bank and of all that happens in the memory, with linear maps from and to the residual
        stream. None: ``hidden_size``, without maps.
    memory_taps : list of int or None
        With ``memory_width``: the memory sees the streams that enter these blocks, side by side. None: the
        stream of its own block after self-attention.
    memory_path_block : bool
        With ``memory_width``: a decoder block of that width between the map and the memory, so that what a
        token writes can depend on the words before it. Its heads are as wide as the backbone's.
    memory_top_k : int or None
        Slots a token may read; the others are masked and the weights renormalised. None: all.
    routing : "content" or "positional"
        Where tokens write. "content": each token distributes its write over slots by a softmax.
        "positional": row t of the bank belongs to token t, as in the paper (needs T = N).
    candidate : "token" or "memory"
        What is written. "token": ``tanh(x W_c + read)``. "memory": ``tanh(read)``, the paper's eq. 6.
    segment_length : int
        Tokens per segment of a text without given segments. Self-attention sees one segment, and
        ``attention_window`` tokens before it.
    attention_window : int
        Tokens before a segment whose keys and values self-attention also sees: a sliding window, so that a
        Llama keeps its context. 0: none.
    attention_sinks : int
        With ``attention_window``: the first tokens of a text that stay in view, right before the window. A
        trained Llama needs a few (arXiv:2309.17453); text that is no longer than its view needs none.
    memory_gate_rank : int or None
        Rank of the gates' weight matrices; a low rank saves parameters. None: full rank.
    memory_starts_closed : bool
        A new memory adds nothing to the stream at first: for adding one to a trained Llama.

    Raises
    ------
    UserError
        For impossible sizes and for unknown keys.
    """

    model_type = "lm2"

    vocab_size: int = 64
    hidden_size: int = 64
    intermediate_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    max_position_embeddings: int = 2048
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    memory_slots: int = 24
    memory_heads: int = 4
    memory_layers: list[int] | None = None
    memory_width: int | None = None
    memory_taps: list[int] | None = None
    memory_path_block: bool = False
    memory_top_k: int | None = None
    routing: str = "content"
    candidate: str = "token"
    segment_length: int = 128
    attention_window: int = 0
    attention_sinks: int = 0
    memory_gate_rank: int | None = None
    memory_starts_closed: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Fill Llama's derived fields, and refuse impossible values."""
        self._check_sizes()
        super().__post_init__(**kwargs)
        self._check_memory()

    @property
    def memory_blocks(self) -> tuple[int, ...]:
        """Indices of the blocks that have memory, ascending."""
        if self.memory_layers is None:
            return tuple(range(self.num_hidden_layers))
        return tuple(sorted(self.memory_layers))

    @property
    def bank_width(self) -> int:
        """D of the bank: ``memory_width``, or else the width of the stream."""
        return self.memory_width or self.hidden_size

    def _check_sizes(self) -> None:
        sizes = ["vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"]
        for name in [*sizes, "memory_slots", "memory_heads", "segment_length"]:
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise UserError(f"{name}={value} must be a whole number, at least 1")
        for name in ("attention_window", "attention_sinks"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise UserError(f"{name}={value} must be a whole number, at least 0")
        if self.attention_sinks and not self.attention_window:
            raise UserError(f"attention_sinks={self.attention_sinks} need an attention_window; set one")
        width = self.memory_width
        if width is not None and (not isinstance(width, int) or width < 1):
            raise UserError(f"memory_width={width} must be a whole number, at least 1, or None")
        bank_width = "hidden_size" if width is None else "memory_width"
        for name, whole in (("num_attention_heads", "hidden_size"), ("memory_heads", bank_width)):
            if getattr(self, whole) % getattr(self, name):
                raise UserError(f"{name}={getattr(self, name)} must divide {whole}={getattr(self, whole)}")
        n_heads = self.num_attention_heads
        if n_heads % (self.num_key_value_heads or n_heads):
            raise UserError(f"num_key_value_heads={self.num_key_value_heads} must divide {n_heads=}")
        head_dim = self.head_dim or self.hidden_size // n_heads
        if head_dim % 2:
            raise UserError(f"head_dim={head_dim} must be even, because of rotary positions")
        if self.attention_dropout:
            raise UserError(f"attention_dropout={self.attention_dropout} is not supported; set it to 0")
        if self.hidden_act not in ACT2FN:
            raise UserError(f"hidden_act={self.hidden_act!r} is not an activation of transformers, e.g. silu")

    def _check_memory(self) -> None:
        if self.memory_top_k is not None and self.memory_top_k not in range(1, self.memory_slots + 1):
            raise UserError(
                f"memory_top_k={self.memory_top_k} must be between 1 and memory_slots={self.memory_slots}"
            )
        for name, allowed in (("routing", ROUTINGS), ("candidate", CANDIDATES)):
            if getattr(self, name) not in allowed:
                raise UserError(f"{name}={getattr(self, name)!r} must be one of {', '.join(allowed)}")
        if self.memory_gate_rank is not None and self.memory_gate_rank not in range(1, self.bank_width + 1):
            width = "hidden_size" if self.memory_width is None else "memory_width"
            raise UserError(
                f"memory_gate_rank={self.memory_gate_rank} must be between 1 and {width}={self.bank_width}"
            )
        self._check_blocks("memory_layers", "all")
        self._check_blocks("memory_taps", "its own block")
        if self.memory_path_block and (self.memory_width is None or self.memory_width % self.head_dim):
            raise UserError(
                f"memory_path_block needs a memory_width that is a multiple of head_dim={self.head_dim}, got "
                f"{self.memory_width}"
            )
        if self.memory_taps is not None:
            self._check_taps(self.memory_taps)
        if self.routing == "positional" and self.segment_length != self.memory_slots:
            raise UserError(
                f"positional routing pairs slot t with token t, so segment_length={self.segment_length} "
                f"must equal memory_slots={self.memory_slots}"
            )

    def _check_blocks(self, name: str, otherwise: str) -> None:
        """Refuse a list that does not name blocks, each once."""
        value = getattr(self, name)
        layers = () if value is None else value
        if not isinstance(layers, (list, tuple)) or not all(isinstance(i, int) for i in layers):
            raise UserError(
                f"{name}={layers!r} must be a list of block numbers such as [0, 2], or None for {otherwise}"
            )
        if set(layers) - set(range(self.num_hidden_layers)) or len(set(layers)) != len(layers):
            raise UserError(f"{name}={value} must name blocks 0..{self.num_hidden_layers - 1}, each once")

    def _check_taps(self, taps: list[int]) -> None:
        if self.memory_width is None:
            raise UserError(f"memory_taps={taps} need maps to the memory's width; set memory_width as well")
        if not taps or max(taps) > min(self.memory_blocks, default=-1):
            raise UserError(
                f"memory_taps={taps} must name at least one block, and none after the first with memory, "
                f"which is {min(self.memory_blocks, default='none')}"
            )


def babi_tiny(*, vocab_size: int) -> LM2Config:
    """The sizes of the shipped model for bAbI qa1 to qa3, with one sentence per segment."""
    return LM2Config(vocab_size=vocab_size, pad_token_id=0, intermediate_size=256)


def base(*, vocab_size: int = 32_768) -> LM2Config:
    """A language model that trains on one small GPU."""
    return LM2Config(
        vocab_size=vocab_size,
        hidden_size=768,
        intermediate_size=2048,
        num_hidden_layers=12,
        num_attention_heads=12,
        num_key_value_heads=4,
        memory_slots=128,
        memory_heads=12,
        segment_length=512,
    )


def lm2_1_7b(*, vocab_size: int = 128_256) -> LM2Config:
    """The paper's model (sections 2 and 3): the shape of Llama-3.2-1B, and its own equations in every block.

    Row t of the bank belongs to token t, so a segment has as many tokens as there are slots. The number of
    memory heads is the public code's; the paper does not give it.
    """
    return _of_llama_3_2_1b(vocab_size, routing="positional", candidate="memory")


def lm2_2b_content(*, vocab_size: int = 128_256) -> LM2Config:
    """The same backbone and bank with this project's memory: tokens choose their slots by content."""
    return _of_llama_3_2_1b(vocab_size)


def _of_llama_3_2_1b(vocab_size: int, **memory: str) -> LM2Config:
    return LM2Config(
        vocab_size=vocab_size,
        hidden_size=2048,
        intermediate_size=8192,
        num_hidden_layers=16,
        num_attention_heads=32,
        num_key_value_heads=8,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 500_000.0},
        tie_word_embeddings=True,
        memory_slots=2048,
        memory_heads=8,
        segment_length=2048,
        **memory,
    )
