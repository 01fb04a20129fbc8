"""What the dimensions of a memory beside a Llama start as, and which weights each stage of training changes.

Three parts of its width, a third each: ``read`` (what is read from a slot arrives here), ``context`` (whose
fact a token states: its address) and ``content`` (which token it is, from the embedding). A slot holds the
content of a token with the address that it was written from, so that a later token with a similar address
finds it: slots are given out as a story needs them. Reads move content to ``read``, so that a write does not
mix the old with the new. These are start values and masks of ordinary weights; the equations know nothing of
them.

In the space of queries and keys (``tell_apart``): addresses in the first third, a hash that chooses among
free slots in the second, one dimension that keeps tokens of others away from slots that are taken, and one
that sends tokens that state no fact to slot 0: tokens share a slot that they claim, written or not.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.initialise import FORGET_BIAS
from lm2core.model.memory import LM2Memory
from lm2core.training.beside.streams import Scale

CONTENT_SCALE = 8.0
JOIN_SCALE = 20.0  # of a read, in the units of the stream that it joins
OPEN = 3.0  # bias of the output gate: 0.95
EVERY_ROW = 4  # of the embedding, for its main components
CONSTANT = 10.0  # what every token has in one dimension of ``read``
STORED_ADDRESS = 0.3  # small enough for tanh
TAKEN = 3.0  # tanh(3) = 0.995
SAME = 2400.0  # of the score of a token and a slot that was written from the same address
ALIKE = 0.35  # cosine of two addresses from which on a taken slot is preferred to a free one when written,
READ = 0.22  # and to all others when read: less is enough, since a wrong read does no lasting harm
HASH = 960.0  # of the scores of free slots; a token that two slots share leaves an old copy in one of them
NO_FACT = 48_000.0  # of the score of slot 0 for a token whose input gate is shut


Masks = dict[Tensor, Tensor]  # by parameter: 1 where it may change in a stage


@dataclass(frozen=True)
class Parts:
    """The parts of the memory's width."""

    read: slice
    context: slice
    content: slice

    @classmethod
    def of(cls, width: int) -> "Parts":
        """Equal parts of ``width``."""
        third = width // 3
        return cls(slice(0, third), slice(third, 2 * third), slice(2 * third, 3 * third))

    @property
    def taken(self) -> int:
        """The last dimension of ``context``: 1 in a slot that was written."""
        return self.context.stop - 1

    @property
    def address(self) -> slice:
        """The rest of ``context``."""
        return slice(self.context.start, self.taken)

    @property
    def constant(self) -> int:
        """The last dimension of ``read``, the same for every token."""
        return self.read.stop - 1

    @property
    def answer(self) -> slice:
        """``read`` without its constant: where contents arrive."""
        return slice(self.read.start, self.constant)


def memory_of(model: LM2ForCausalLM) -> LM2Memory:
    """The one memory of a model, whose path sees the embedding first."""
    (block,) = model.config.memory_blocks
    mem = list(model.model.blocks())[block].mem
    assert mem is not None and mem.path is not None and mem.path.block is not None
    return mem


def rows_of(mem: LM2Memory, name: str) -> slice:
    """The rows of ``token_proj`` that hold the map ``name`` of ``token_maps``."""
    names = list(mem.token_maps)
    start = sum(mem.token_maps[key] for key in names[: names.index(name)])
    return slice(start, start + mem.token_maps[name])


@torch.no_grad()
def initialise(model: LM2ForCausalLM, scale: Scale) -> None:
    """Start values: contents are main components of the embedding, addresses one random map for all.

    The path sees streams that are centred and scaled by ``scale`` until ``fold`` puts that into its weights.
    """
    mem, width = memory_of(model), model.config.bank_width
    assert mem.path is not None and mem.path.block is not None
    parts, third = Parts.of(width), width // 3
    for weight in (mem.path.into.weight, mem.path.into.bias, mem.path.back.weight, mem.token_proj.weight):
        weight.zero_()
    for weight in (mem.bank_proj.weight, mem.q_proj.weight, mem.slot_key):
        weight.zero_()
    mem.path.block.self_attn.o_proj.weight.zero_()
    mem.path.block.mlp.down_proj.weight.zero_()

    components, n_contents = _components(model, third), third - 1
    into = mem.path.into.weight.view(width, -1, model.config.hidden_size)  # (W, taps, D)
    other_taps = torch.randn_like(into[parts.context, 1:])
    into[parts.context, 1:] = other_taps / other_taps[0].numel() ** 0.5
    seen_VW = (model.model.embed_tokens.weight - scale.mean_SD[0]) @ components
    into[parts.content, 0] = (components * scale.deviation_SD[0][:, None] / seen_VW.pow(2).mean().sqrt()).T
    mem.path.into.bias[parts.constant] = CONSTANT
    joins = components[:, :n_contents] / model.model.norm.weight[:, None] * JOIN_SCALE
    mem.path.back.weight[:, parts.answer] = joins

    mem.token_proj.weight[rows_of(mem, "content")][parts.content, parts.content] = CONTENT_SCALE * torch.eye(
        third
    )
    mem.bank_proj.weight[width : 2 * width][parts.answer, parts.content] = torch.eye(third)[:n_contents]
    address = torch.randn(n_contents, third) / third**0.5
    mem.q_proj.weight[:n_contents, parts.context] = address
    mem.token_proj.weight[rows_of(mem, "route_q")][:n_contents, parts.context] = address
    for name in ("gate_in", "gate_forget"):
        gate = mem.token_proj.weight[rows_of(mem, name)]
        gate[:, parts.context] = torch.randn(width, third) / width**0.5
    for layer, bias in ((mem.gate_out, OPEN), (mem.gate_forget, FORGET_BIAS)):
        for p in layer.parameters():
            p.zero_()
        layer.bias.fill_(bias)


@torch.no_grad()
def tell_apart(model: LM2ForCausalLM, writing_RW: Tensor, looking_RW: Tensor) -> None:
    """After the addresses are learnt: slots are found by the address that is stored in them.

    A token's candidate gets its address and a mark. Keys compare addresses, and the mark keeps those away
    that are not alike. Among slots without one the token takes what a random map of its address says.

    writing_RW, looking_RW : what the memory sees of tokens that are written, and of prompts' last tokens
    """
    mem, width = memory_of(model), model.config.bank_width
    parts, third = Parts.of(width), width // 3
    n = third - 1
    route = mem.token_proj.weight[rows_of(mem, "route_q")]
    candidate = mem.token_proj.weight[rows_of(mem, "content")]
    writes, looks = mem.write_norm(writing_RW), mem.read_norm(looking_RW)
    candidate[parts.address] = STORED_ADDRESS * route[:n]
    candidate[parts.taken, parts.constant] = TAKEN / writes[:, parts.constant].mean()
    stored = torch.tanh(writes @ candidate[parts.address].T).norm(dim=-1).mean()
    for query, seen_RW, alike in ((route, writes, ALIKE), (mem.q_proj.weight, looks, READ)):
        own = (seen_RW @ query[:n].T).norm(dim=-1).mean()
        query[2 * third, parts.constant] = alike * own * stored / seen_RW[:, parts.constant].mean()
    for keys in (mem.bank_proj.weight[:width], mem.bank_proj.weight[2 * width :]):
        keys[:n, parts.address] = SAME * torch.eye(n)
        keys[2 * third, parts.taken] = -SAME
    route[third : 2 * third] = HASH * (torch.randn(third, n) / n**0.5) @ route[:n]
    mem.slot_key[1:, third : 2 * third] = torch.randn(len(mem.slot_key) - 1, third)
    route[2 * third + 1] = -mem.token_proj.weight[rows_of(mem, "gate_in")].mean(0)
    mem.slot_key[0, 2 * third + 1] = NO_FACT


def address_masks(model: LM2ForCausalLM) -> Masks:
    """First stage: the path up to ``context``, the addresses of it, and when tokens are written."""
    mem = memory_of(model)
    assert mem.path is not None and mem.path.block is not None
    width, block = model.config.bank_width, mem.path.block
    context, n = Parts.of(width).context, width // 3 - 1
    masks = _masks(mem.write_norm.weight, mem.read_norm.weight, mem.gate_forget.bias, fill=1.0)
    masks |= _masks(*block.parameters(), fill=1.0)
    into_context = (mem.path.into.weight, mem.path.into.bias, block.self_attn.o_proj.weight)
    for p in (*into_context, block.mlp.down_proj.weight):
        masks[p] = torch.zeros_like(p)
        masks[p][context] = 1
    masks |= _masks(mem.q_proj.weight, mem.token_proj.weight, fill=0.0)
    masks[mem.q_proj.weight][:n, context] = 1
    masks[mem.token_proj.weight][rows_of(mem, "route_q")][:n, context] = 1
    for name in ("gate_in", "gate_forget"):
        masks[mem.token_proj.weight][rows_of(mem, name), context] = 1
    return masks


def content_masks(model: LM2ForCausalLM) -> Masks:
    """Second stage: what is stored of a token, and how it is read again."""
    mem, width = memory_of(model), model.config.bank_width
    assert mem.path is not None
    parts = Parts.of(width)
    masks = _masks(mem.path.back.weight, mem.token_proj.weight, mem.bank_proj.weight, fill=0.0)
    masks[mem.path.back.weight][:, parts.answer] = 1
    masks[mem.token_proj.weight][rows_of(mem, "content")][parts.content, parts.content] = 1
    masks[mem.bank_proj.weight][width : 2 * width][parts.answer, parts.content] = 1
    return masks


def gate_masks(model: LM2ForCausalLM) -> Masks:
    """Third stage: the gates alone."""
    mem = memory_of(model)
    context = Parts.of(model.config.bank_width).context
    masks = _masks(*mem.gate_out.parameters(), *mem.gate_forget.parameters(), fill=1.0)
    masks |= _masks(mem.token_proj.weight, fill=0.0)
    for name in ("gate_in", "gate_forget"):
        masks[mem.token_proj.weight][rows_of(mem, name), context] = 1
    return masks


def keep_only(model: LM2ForCausalLM, masks: Masks) -> None:
    """Remove the gradients of all weights that ``masks`` do not name, and clip the others at norm 1."""
    weights = list(memory_of(model).parameters())
    for p in weights:
        if p not in masks:
            p.grad = None
        elif p.grad is not None:
            p.grad *= masks[p]
    torch.nn.utils.clip_grad_norm_(weights, 1.0)


@torch.no_grad()
def fold(model: LM2ForCausalLM, scale: Scale) -> None:
    """Put the centring and scaling of the tapped streams into the weights of the path."""
    path = memory_of(model).path
    assert path is not None
    path.into.weight.copy_(path.into.weight / scale.deviation_SD.flatten())
    path.into.bias.copy_(path.into.bias - path.into.weight @ scale.mean_SD.flatten())


def _components(model: LM2ForCausalLM, n: int) -> Tensor:
    """The ``n`` main components (D,n) of the embedding, orthonormal."""
    embedding_VD = model.model.embed_tokens.weight
    some_VD = (embedding_VD - embedding_VD.mean(0))[::EVERY_ROW]
    return torch.pca_lowrank(some_VD, q=n, center=False, niter=4)[2]


def _masks(*weights: Tensor, fill: float) -> Masks:
    return {p: torch.full_like(p, fill) for p in weights}
