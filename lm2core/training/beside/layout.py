"""What the dimensions of a memory beside a Llama start as, and which weights each stage of training changes.

Three parts of its width, a third each: ``context`` (whose fact it is, from the words around a token),
``read`` (what is read from a slot arrives here) and ``content`` (which token it is, from the embedding).
Slots take their content from ``content``, and reads move it to ``read``, so that a write does not mix the old
with the new. These are start values and masks of ordinary weights; the equations know nothing of them.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.initialise import FORGET_BIAS
from lm2core.model.memory import LM2Memory
from lm2core.training.beside.streams import Scale

ADDRESS_SCALE = 4.0  # of the routing's queries: a token then prefers one or two slots
CONTENT_SCALE = 0.5
JOIN_SCALE = 20.0  # of a read, in the units of the stream that it joins
OPEN = 3.0  # bias of the output gate: 0.95
EVERY_ROW = 4  # of the embedding, for its main components

NOT_BY_WORD = ("gate_in", "gate_forget", "route_q")  # maps that do not see which word a token is

Masks = dict[Tensor, Tensor]  # by parameter: 1 where it may change in a stage


@dataclass(frozen=True)
class Parts:
    """The three parts of the memory's width, as slices."""

    context: slice
    read: slice
    content: slice

    @classmethod
    def of(cls, width: int) -> "Parts":
        """Equal parts of ``width``."""
        third = width // 3
        return cls(slice(0, third), slice(third, 2 * third), slice(2 * third, 3 * third))


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
    parts, n_context = Parts.of(width), width // 3
    assert mem.path is not None and mem.path.block is not None
    components = _components(model, n_context)

    into = mem.path.into.weight.view(width, -1, model.config.hidden_size)  # (W, taps, D)
    into.zero_()
    mem.path.into.bias.zero_()
    other_taps = into[parts.context, 1:]
    other_taps.copy_(torch.randn_like(other_taps) / (other_taps[0].numel() ** 0.5))
    seen_VW = (model.model.embed_tokens.weight - scale.mean_SD[0]) @ components
    into[parts.content, 0] = (components * scale.deviation_SD[0][:, None] / seen_VW.pow(2).mean().sqrt()).T
    mem.path.back.weight.zero_()
    mem.path.back.weight[:, parts.read] = components / model.model.norm.weight[:, None] * JOIN_SCALE
    for layer in (mem.path.block.self_attn.o_proj, mem.path.block.mlp.down_proj):
        layer.weight.zero_()

    one = torch.eye(n_context)
    contents, values = mem.token_proj.weight[rows_of(mem, "content")], mem.bank_proj.weight[width : 2 * width]
    contents.zero_()
    contents[parts.content, parts.content] = CONTENT_SCALE * one
    values.zero_()
    values[parts.read, parts.content] = one
    mem.bank_proj.weight[:width].zero_()  # slots are told apart by their keys alone
    mem.bank_proj.weight[2 * width :].zero_()
    address: Tensor = torch.randn(width, width) / n_context**0.5 * ADDRESS_SCALE
    mem.q_proj.weight.copy_(address)
    mem.token_proj.weight[rows_of(mem, "route_q")] = address
    for rows in (mem.q_proj.weight, *(mem.token_proj.weight[rows_of(mem, name)] for name in NOT_BY_WORD)):
        rows[:, n_context:] = 0
    for gate, bias in ((mem.gate_out, OPEN), (mem.gate_forget, FORGET_BIAS)):
        for p in gate.parameters():
            p.zero_()
        gate.bias.fill_(bias)


def address_masks(model: LM2ForCausalLM) -> Masks:
    """First stage: the path up to ``context``, where tokens write and look, and when they write."""
    mem = memory_of(model)
    assert mem.path is not None and mem.path.block is not None
    context, block = Parts.of(model.config.bank_width).context, mem.path.block
    masks = _masks(mem.slot_key, mem.write_norm.weight, mem.read_norm.weight, mem.gate_forget.bias, fill=1.0)
    masks |= _masks(*block.parameters(), fill=1.0)
    for p in (
        mem.path.into.weight,
        mem.path.into.bias,
        block.self_attn.o_proj.weight,
        block.mlp.down_proj.weight,
    ):
        masks[p] = torch.zeros_like(p)
        masks[p][context] = 1
    masks |= _masks(mem.q_proj.weight, mem.token_proj.weight, fill=0.0)
    masks[mem.q_proj.weight][:, context] = 1
    for name in NOT_BY_WORD:
        masks[mem.token_proj.weight][rows_of(mem, name), context] = 1
    return masks


def content_masks(model: LM2ForCausalLM) -> Masks:
    """Second stage: what is stored of a token, and how it is read again."""
    mem, width = memory_of(model), model.config.bank_width
    assert mem.path is not None
    parts = Parts.of(width)
    masks = _masks(mem.path.back.weight, mem.token_proj.weight, mem.bank_proj.weight, fill=0.0)
    masks |= _masks(mem.bank_norm.weight, fill=1.0)
    masks[mem.path.back.weight][:, parts.read] = 1
    masks[mem.token_proj.weight][rows_of(mem, "content")][parts.content, parts.content] = 1
    masks[mem.bank_proj.weight][width : 2 * width][parts.read, parts.content] = 1
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
