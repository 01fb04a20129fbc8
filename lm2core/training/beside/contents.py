"""First stage: a slot can hold any token of the vocabulary, and its read makes the frozen head say it.

Tokens are drawn from the whole vocabulary and written to a slot that other things are in as well, so that no
word is privileged. Nothing about sentences is learnt.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside.examples import Examples
from lm2core.training.beside.layout import Parts, memory_of, rows_of
from lm2core.training.beside.streams import Scale

N_TOKENS = 256  # in a step
N_OTHERS = 6000  # tokens that they are told from, drawn anew in each step
LEAST_SHARE = 0.2  # of a slot that a token takes, and
LEAST_GATE = 0.6  # of what the output gate lets through, both up to 1
FIRST_ID = 3  # ids before it are special tokens


def content_loss(model: LM2ForCausalLM, examples: Examples, scale: Scale) -> Tensor:
    """Mean cross entropy (nats) of tokens that were written and read again."""
    ids = torch.randint(FIRST_ID, model.config.vocab_size, (N_TOKENS,))
    others = torch.randint(FIRST_ID, model.config.vocab_size, (N_OTHERS,))
    candidates = torch.unique(torch.cat([ids, others]))
    logits = _said_again(model, examples, scale, ids) @ model.lm_head.weight[candidates].T
    return F.cross_entropy(logits, torch.searchsorted(candidates, ids))


@torch.no_grad()
def content_accuracy(model: LM2ForCausalLM, examples: Examples, scale: Scale, n: int = 512) -> float:
    """The share of ``n`` tokens that come back as the most likely of the vocabulary, in [0, 1]."""
    ids = torch.randint(FIRST_ID, model.config.vocab_size, (n,))
    stream = _said_again(model, examples, scale, ids)
    return float((model.lm_head(stream).argmax(-1) == ids).float().mean())


def _said_again(model: LM2ForCausalLM, examples: Examples, scale: Scale, ids: Tensor) -> Tensor:
    """The stream (n,D) before the head after tokens were stored, read, and joined to that of some prompt."""
    mem, width, n = memory_of(model), model.config.bank_width, len(ids)
    assert mem.path is not None
    parts = Parts.of(width)
    embedded = (model.model.embed_tokens(ids) - scale.mean_SD[0]) / scale.deviation_SD[0]
    seen = F.linear(embedded, mem.path.into.weight[:, : embedded.shape[1]])
    around = torch.randn(n, width)
    around[:, parts.read] *= torch.rand(n, 1) * 0.5
    around[:, parts.content] = 0
    stream = mem.write_norm(seen[:, parts.content] @ _rows(width, parts.content) + around)
    written = torch.tanh(F.linear(stream, mem.token_proj.weight[rows_of(mem, "content")]))
    slot = torch.zeros(n, width)
    slot[:, parts.read] = torch.randn(n, width)[:, parts.read] * torch.rand(n, 1) * 0.5
    slot = (slot + written @ _only(width, parts.content)) * _between(LEAST_SHARE, n)
    read = F.linear(mem.bank_norm(slot), mem.bank_proj.weight[width : 2 * width]) * _between(LEAST_GATE, n)
    rows = torch.randint(len(examples.pairs), (n,))
    place = (torch.rand(n) * (examples.n_pieces_R[rows] + 1)).long()
    joined = examples.prompts.joined_RPD[rows, place] + mem.path.back(read)
    return after_join(model, joined)


def after_join(model: LM2ForCausalLM, mid_ND: Tensor) -> Tensor:
    """The normed stream (n,D) that the head sees, from that of the last block after the memory's read."""
    block = list(model.model.blocks())[-1]
    stream: Tensor = model.model.norm(mid_ND + block.mlp(block.post_attention_layernorm(mid_ND)))
    return stream


def _between(least: float, n: int) -> Tensor:
    return least + (1 - least) * torch.rand(n, 1)


def _rows(width: int, part: slice) -> Tensor:
    """The map (part,width) of a part to its place."""
    return torch.eye(width)[part]


def _only(width: int, part: slice) -> Tensor:
    """The projection (width,width) on a part."""
    return torch.diag(torch.eye(width)[part].sum(0))
