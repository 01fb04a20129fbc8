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
from lm2core.model.memory import LM2Memory
from lm2core.training.beside.streams import Scale

ADDRESS_SCALE = 4.0  # of the routing's queries: a token then prefers one or two slots
CONTENT_SCALE = 0.5
JOIN_SCALE = 20.0  # of a read, in the units of the stream that it joins
EVERY_ROW = 4  # of the embedding, for its main components

Masks = dict[Tensor, Tensor]  # by parameter


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
    contents.zero_()[parts.content, parts.content] = CONTENT_SCALE * one
    values.zero_()[parts.read, parts.content] = one
    mem.bank_proj.weight[:width].zero_()  # slots are told apart by their keys alone
    mem.bank_proj.weight[2 * width :].zero_()
    address = torch.randn(width, width) / n_context**0.5 * ADDRESS_SCALE
    mem.q_proj.weight.copy_(address)
    mem.token_proj.weight[rows_of(mem, "route_q")] = address
    for rows in (mem.q_proj.weight, *(mem.token_proj.weight[rows_of(mem, name)] for name in _NOT_BY_WORD)):
        rows[:, n_context:] = 0
    mem.gate_out.bias.zero_()


_NOT_BY_WORD = ("gate_in", "gate_forget", "route_q")  # maps that do not see which word a token is


def content_masks(model: LM2ForCausalLM) -> Masks:
    """1 where the weights decide what is stored of a token and how it is read again."""
    mem, width = memory_of(model), model.config.bank_width
    assert mem.path is not None
    parts = Parts.of(width)
    masks = _masks(mem.path.into.weight, mem.token_proj.weight, mem.bank_proj.weight, fill=0.0)
    masks |= _masks(mem.path.back.weight, mem.bank_norm.weight, fill=1.0)
    masks[mem.path.into.weight][parts.content, : model.config.hidden_size] = 1
    masks[mem.token_proj.weight][rows_of(mem, "content")] = 1
    masks[mem.bank_proj.weight][width : 2 * width] = 1
    return masks


def other_masks(model: LM2ForCausalLM) -> Masks:
    """1 where a weight may change once contents are learnt: the path writes to ``context`` alone."""
    mem, width = memory_of(model), model.config.bank_width
    assert mem.path is not None and mem.path.block is not None
    context = Parts.of(width).context
    masks = {p: 1 - mask for p, mask in content_masks(model).items()}
    masks[mem.path.into.weight][context.stop :] = 0
    masks |= _masks(mem.path.into.bias, fill=0.0)
    masks[mem.path.into.bias][context] = 1
    for layer in (mem.path.block.self_attn.o_proj, mem.path.block.mlp.down_proj):
        masks |= _masks(layer.weight, fill=0.0)
        masks[layer.weight][context] = 1
    masks |= _masks(mem.q_proj.weight, fill=0.0)
    masks[mem.q_proj.weight][:, context] = 1
    for name in _NOT_BY_WORD:
        masks[mem.token_proj.weight][rows_of(mem, name), context.stop :] = 0
    return masks


def address_masks(model: LM2ForCausalLM) -> Masks:
    """0 where the weights decide to which slot a token goes, and how the path sees the words before it."""
    mem = memory_of(model)
    assert mem.path is not None
    masks = _masks(*mem.path.parameters(), mem.q_proj.weight, mem.slot_key, mem.bank_proj.weight, fill=0.0)
    masks |= _masks(mem.token_proj.weight, fill=1.0)
    masks[mem.token_proj.weight][rows_of(mem, "route_q")] = 0
    return masks


def keep_only(masks: Masks) -> None:
    """Remove the gradients that ``masks`` do not let through."""
    for p, mask in masks.items():
        if p.grad is not None:
            p.grad *= mask


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
