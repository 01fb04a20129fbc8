"""The memory of the public LM2 code and the Llama around it, for parity and to import its checkpoints.

Source: the code published with Kang et al. 2025, arXiv:2502.06049. It differs from the paper's equations; see
docs/ARCHITECTURE.md, "The public code's module". Row t of the bank belongs to token t, so the numbers of
tokens and slots and the width are equal, T = N = D. Parameters have the names of a public checkpoint. There
is no dropout on the read, no padding and no generation.

Axes: see memory.py; the suffixes T, N and D say what an axis counts.
"""

from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, LlamaConfig
from transformers import initialization as init
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm, LlamaRotaryEmbedding

from lm2core.errors import UserError
from lm2core.model.attention import attention_pattern, merge_heads, split_heads, strongest
from lm2core.model.causal_lm import LM2Output
from lm2core.model.config import LM2Config, refuse_unknown_keys
from lm2core.model.from_llama import StrictCheckpoints
from lm2core.model.inputs import check_bank, check_texts
from lm2core.model.segments import next_token_loss

SHARED_WITH_LM2 = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "attention_dropout", "hidden_act", "memory_slots", "memory_heads",
    "memory_top_k",
)  # fmt: skip


def row_read(q_BTD: Tensor, k_BND: Tensor, v_BND: Tensor, *, n_heads: int, top_k: int | None) -> Tensor:
    """What token t reads from slots 0..t, (B,T,D); ``top_k`` keeps the largest weights, not renormalised."""
    q_BHTK, k_BHNK, v_BHNK = (split_heads(x, n_heads) for x in (q_BTD, k_BND, v_BND))
    pattern_BHTN = attention_pattern(q_BHTK, k_BHNK, is_causal=True)
    if top_k is not None:
        pattern_BHTN = pattern_BHTN * strongest(pattern_BHTN, top_k)
    return merge_heads(pattern_BHTN @ v_BHNK)


def token_mean(x_BTD: Tensor, w_D: Tensor, *, causal: bool) -> Tensor:
    """Mean of ``relu(w * x)``: over all tokens, (B,1,D), or for token t over tokens 0..t, (B,T,D).

    The first is the public code's, which leaks later tokens to earlier ones.
    """
    lit_BTD = F.relu(w_D * x_BTD)
    if not causal:
        return lit_BTD.mean(dim=1, keepdim=True)
    counts_T = torch.arange(1, x_BTD.shape[1] + 1, device=x_BTD.device)
    return lit_BTD.cumsum(dim=1) / counts_T[:, None]


class InputGateProjector(nn.Module):
    """The contribution of the tokens to the gates: a linear map of their scaled, rectified mean."""

    def __init__(self, n_slots: int) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.empty(n_slots))
        self.linear = nn.Linear(n_slots, 2 * n_slots)

    def forward(self, x_BTD: Tensor, *, causal: bool) -> Tensor:
        """Gate inputs, input gate first: (B,1,2D), or with ``causal`` one row per token, (B,T,2D)."""
        return self.linear(token_mean(x_BTD, self.w, causal=causal))


class ReferenceMemory(nn.Module):
    """One block's memory: ``(attention output, bank) -> (output, next bank)``. Holds no state.

    Parameters
    ----------
    n_slots : int
        N, which is also the number of tokens and the width.
    n_heads : int
        Heads of the read; must divide ``n_slots``.
    top_k : int or None
        Largest weights of a read that are used, not renormalised. None: all.
    causal_gates : bool
        Replace the gates' mean over the whole text by a running mean, so that no token sees later ones.
    """

    def __init__(
        self, n_slots: int, n_heads: int, *, top_k: int | None = None, causal_gates: bool = False
    ) -> None:
        super().__init__()
        self.n_heads, self.top_k, self.causal_gates = n_heads, top_k, causal_gates
        self.query_proj = nn.Linear(n_slots, n_slots)
        self.key_proj = nn.Linear(n_slots, n_slots)
        self.value_proj = nn.Linear(n_slots, n_slots)
        # Used twice. A public checkpoint stores it as attention_mlp.0 and as attention_mlp.1.
        self.attention_mlp = nn.ModuleList([nn.Linear(n_slots, n_slots)])
        self.attended_memory_layernorm = nn.LayerNorm(n_slots)
        self.attended_memory_layernorm2 = nn.LayerNorm(n_slots)
        self.input_gate_projector = InputGateProjector(n_slots)
        self.memory_gate_projector = nn.ModuleDict({"linear": nn.Linear(n_slots, 2 * n_slots)})
        self.input_bias = nn.Parameter(torch.empty(()))
        self.forget_bias = nn.Parameter(torch.empty(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the public code's initial values, except for weights that transformers has just loaded."""
        for linear in (module for module in self.modules() if isinstance(module, nn.Linear)):
            bound = linear.in_features**-0.5  # torch's default
            if linear is self.memory_gate_projector["linear"]:
                bound = linear.out_features**-0.5
            init.uniform_(linear.weight, -bound, bound)
            init.uniform_(linear.bias, -bound, bound)
        init.normal_(self.input_gate_projector.w)
        init.zeros_(self.input_bias)
        init.ones_(self.forget_bias)

    def attended(self, x_BTD: Tensor, bank_BND: Tensor) -> Tensor:
        """The candidate before tanh, (B,N,D): the bank plus each token's read in its row, then an MLP."""
        q_BTD, k_BND, v_BND = self.query_proj(x_BTD), self.key_proj(bank_BND), self.value_proj(bank_BND)
        read_BTD = row_read(q_BTD, k_BND, v_BND, n_heads=self.n_heads, top_k=self.top_k)
        h_BND = self.attended_memory_layernorm(bank_BND + read_BTD)
        mlp = self.attention_mlp[0]
        return self.attended_memory_layernorm2(h_BND + F.relu(mlp(F.relu(mlp(h_BND)))))

    def gates(self, x_BTD: Tensor, bank_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Input gate and forget gate, each (B,N,D) in [0, 1]."""
        from_bank_BNE = self.memory_gate_projector["linear"](torch.tanh(bank_BND))
        from_tokens_BNE = self.input_gate_projector(x_BTD, causal=self.causal_gates)
        gate_in_BND, gate_forget_BND = (from_bank_BNE + from_tokens_BNE).chunk(2, dim=-1)
        return torch.sigmoid(gate_in_BND + self.input_bias), torch.sigmoid(gate_forget_BND + self.forget_bias)

    def forward(self, x_BTD: Tensor, bank_BND: Tensor) -> tuple[Tensor, Tensor]:
        """Return the output for the stream, (B,T,D), and the next bank, (B,N,D)."""
        gate_in_BND, gate_forget_BND = self.gates(x_BTD, bank_BND)
        candidate_BND = torch.tanh(self.attended(x_BTD, bank_BND))
        next_BND = gate_in_BND * candidate_BND + gate_forget_BND * bank_BND
        return x_BTD + next_BND, next_BND


class ReferenceConfig(LlamaConfig):
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
        refuse_unknown_keys(type(self), kwargs)
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
