"""The public code's module and model in small, their sizes different where they may be, and a checkpoint."""

import pytest
import torch

from lm2core.reference.causal_lm import ReferenceConfig, ReferenceForCausalLM
from lm2core.reference.memory import ReferenceMemory

B, N, V = 3, 8, 17  # N is tokens, slots and width: the architecture has one number for them
SIZES = {
    "vocab_size": V,
    "hidden_size": N,
    "memory_slots": N,
    "intermediate_size": 20,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 1,
    "memory_heads": 2,
}
TOLD = SIZES | {"num_mem_heads": SIZES["memory_heads"], "rms_norm_eps": 1e-6, "rope_theta": 10000.0}
del TOLD["memory_heads"]
EVERY_KIND = pytest.mark.parametrize("top_k", [None, 3], ids=["all", "top-k"])
BOTH_GATES = pytest.mark.parametrize("causal_gates", [False, True], ids=["published", "running mean"])


def make_memory(*, seed: int = 0, **choices: object) -> ReferenceMemory:
    torch.manual_seed(seed)
    return ReferenceMemory(N, 2, **choices).eval()


def make_model(*, seed: int = 0, **changes: object) -> ReferenceForCausalLM:
    torch.manual_seed(seed)
    return ReferenceForCausalLM(ReferenceConfig(**(SIZES | changes))).eval()


def random(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def make_ids(*, n_texts: int = B, seed: int = 1) -> torch.Tensor:
    return torch.randint(V, (n_texts, N), generator=torch.Generator().manual_seed(seed))


def public_weights(model: ReferenceForCausalLM, *, names: str = "both") -> dict[str, torch.Tensor]:
    """The weights as the public code names them: doubled tensors under the ``first``, ``second`` or both."""
    weights = dict(model.state_dict())
    weights["memory_bank"] = torch.eye(N).expand(B, N, N).contiguous()
    for name in list(weights):
        second = name.replace(".self_attn.", ".mem_attn.self_attn.").replace("mlp.0.", "mlp.1.")
        if second != name and names != "first":
            weights[second] = weights[name].clone()
        if second != name and names == "second":
            del weights[name]
    return weights
