"""The public LM2 code's model: its memory in a Llama, for parity and to import its checkpoints.

Source: the code published with Kang et al. 2025, arXiv:2502.06049. It differs from the paper's equations; see
docs/ARCHITECTURE.md, "The public code's module". Row t of the bank belongs to token t, so the numbers of
tokens and slots and the width are equal, T = N = D. Parameters have the names of a public checkpoint. There
is no dropout on the read, no padding and no generation.

Axes: see memory.py; the suffixes T, N and D say what an axis counts.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM
from transformers import initialization as init
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm, LlamaRotaryEmbedding

from lm2core.errors import UserError
from lm2core.model.config import LM2Config, StrictConfig
from lm2core.model.from_llama import StrictCheckpoints
from lm2core.model.inputs import check_bank, check_texts
from lm2core.model.loss import next_token_loss
from lm2core.model.output import LM2Output
from lm2core.reference.memory import ReferenceMemory

SHARED_WITH_LM2 = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "attention_dropout", "hidden_act", "memory_slots", "memory_heads",
    "memory_top_k",
)  # fmt: skip


class ReferenceConfig(StrictConfig):
    """Llama's config plus the public code's memory.

    Parameters
    ----------
    memory_slots : int
        N; must equal ``hidden_size`` and the number of tokens of every text.
    memory_heads, memory_top_k, causal_gates
        As for ``ReferenceMemory``. The public code's models have the leak: ``causal_gates=False``.

    Raises
    ------
    UserError
        For impossible sizes and for unknown keys.
    """

    model_type = "lm2-reference"

    vocab_size: int = 64
    hidden_size: int = 64
    intermediate_size: int = 128
    num_hidden_layers: int = 4
    num_attention_heads: int = 4
    bos_token_id: int | None = None
    eos_token_id: int | list[int] | None = None

    memory_slots: int = 64
    memory_heads: int = 4
    memory_top_k: int | None = None
    causal_gates: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        """Refuse impossible sizes, then fill Llama's derived fields."""
        LM2Config(**{name: getattr(self, name) for name in SHARED_WITH_LM2})  # refuses impossible sizes
        if self.memory_slots != self.hidden_size:
            raise UserError(
                f"memory_slots={self.memory_slots} must equal hidden_size={self.hidden_size}: "
                "the public code needs as many tokens and slots as its width"
            )
        super().__post_init__(**kwargs)


class ReferenceBlock(LlamaDecoderLayer):
    """Llama's block with the memory between self-attention and MLP."""

    def __init__(self, config: ReferenceConfig, layer_idx: int) -> None:
        super().__init__(config, layer_idx)
        top_k, causal_gates = config.memory_top_k, config.causal_gates
        memory = ReferenceMemory(
            config.memory_slots, config.memory_heads, top_k=top_k, causal_gates=causal_gates
        )
        self.mem_attn = nn.ModuleDict({"memory_module": memory})

    def forward(
        self, x_BTD: Tensor, bank_BND: Tensor, rotary: tuple[Tensor, Tensor], mask_TT: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the stream after the block and the next bank; ``mask_TT`` is added to the scores."""
        attn_BTD, _ = self.self_attn(self.input_layernorm(x_BTD), rotary, mask_TT)
        out_BTD, bank_BND = self.mem_attn["memory_module"](attn_BTD, bank_BND)
        x_BTD = x_BTD + out_BTD
        return x_BTD + self.mlp(self.post_attention_layernorm(x_BTD)), bank_BND


class ReferenceModel(nn.Module):
    """Embedding, blocks and final norm, with the names of a public checkpoint."""

    def __init__(self, config: ReferenceConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(ReferenceBlock(config, i) for i in range(config.num_hidden_layers))
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.rotary_emb = LlamaRotaryEmbedding(config)


class ReferenceForCausalLM(StrictCheckpoints):
    """The public code's language model, with the bank as a value; the public code keeps it between calls.

    ``model(input_ids, attention_mask=None, memory=None, labels=None)``. ``memory=None`` starts from the bank
    stored in the checkpoint, by default the identity.
    """

    config_class = ReferenceConfig
    base_model_prefix = "model"
    accepts_loss_kwargs = False
    _tied_weights_keys = {"lm_head.weight": "model.embed_tokens.weight"}
    _keys_to_ignore_on_load_missing = ["memory_bank"]  # it then starts from the identity

    def __init__(self, config: ReferenceConfig) -> None:
        super().__init__(config)
        self.model = ReferenceModel(config)
        self.lm_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)
        # Persistent, because transformers leaves other buffers uninitialised when it loads a model.
        self.register_buffer("memory_bank", torch.eye(config.memory_slots))
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        memory: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> LM2Output:
        """Run texts of exactly N tokens.

        Parameters
        ----------
        input_ids : (B,N)
        attention_mask : (B,N), all ones; padding does not work in this architecture
        memory : (B,N,D), the bank after the previous text; None: the model's own
        labels : (B,N); the loss predicts each next token and ignores -100
        """
        self._check_inputs(input_ids, attention_mask, memory, labels)
        n_texts, n_tokens = input_ids.shape
        x_BTD = self.model.embed_tokens(input_ids)
        bank_BND = cast(Tensor, self.memory_bank).expand(n_texts, -1, -1) if memory is None else memory
        rotary = self.model.rotary_emb(x_BTD, torch.arange(n_tokens, device=input_ids.device)[None])
        mask_TT = x_BTD.new_full((n_tokens, n_tokens), torch.finfo(x_BTD.dtype).min).triu(1)
        for block in self.model.layers:
            x_BTD, bank_BND = block(x_BTD, bank_BND, rotary, mask_TT)
        logits_BTV = self.lm_head(self.model.norm(x_BTD)).float()
        loss = None if labels is None else next_token_loss(logits_BTV, labels, None)
        return LM2Output(loss=loss, logits=logits_BTV, memory=bank_BND)

    def _check_inputs(
        self, ids: Tensor, mask: Tensor | None, memory: Tensor | None, labels: Tensor | None
    ) -> None:
        n_slots = self.config.memory_slots
        check_texts(ids, mask, labels, vocab_size=self.config.vocab_size)
        if ids.ndim != 2 or ids.shape[1] != n_slots:
            raise UserError(
                f"this architecture needs texts of exactly {n_slots} tokens, one per slot: input_ids must be "
                f"(B,{n_slots}), got {tuple(ids.shape)}; cut the texts to this length"
            )
        if mask is not None and not mask.all():
            raise UserError(
                "every token has its own slot, so texts cannot be padded: attention_mask must be all ones, "
                f"got {int((mask == 0).sum())} zeros; omit it"
            )
        if memory is not None:
            check_bank(memory, (len(ids), n_slots, n_slots), like=self.lm_head.weight)

    def _init_weights(self, module: nn.Module) -> None:
        """Initialise as Llama, the memory with its own values, and the bank with the identity."""
        if isinstance(module, ReferenceMemory):
            module.reset_parameters()
        elif module is self:
            init.eye_(self.memory_bank)
        else:
            super()._init_weights(module)


AutoConfig.register(ReferenceConfig.model_type, ReferenceConfig)
AutoModelForCausalLM.register(ReferenceConfig, ReferenceForCausalLM)
