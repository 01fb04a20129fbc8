"""Streams of the frozen Llama, computed once for each sentence: nothing in them depends on the memory.

Axes: see lm2core/model/memory.py, plus R rows (sentences), S tapped streams, P places of an answer's tokens.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.open_segment import BlockState

ROWS = 64  # in one pass


@dataclass(frozen=True)
class Streams:
    """What the memory's path sees of each row, and where its answers join.

    ids_RT, mask_RT : tokens with the one that begins each segment, and 1 for tokens
    tapped_RTSD : the streams that enter the tapped blocks, centred and scaled, in float16
    joined_RPD : the stream after self-attention of the memory's block, at the ``places_RP`` asked for
    """

    ids_RT: Tensor
    mask_RT: Tensor
    tapped_RTSD: Tensor
    joined_RPD: Tensor
    places_RP: Tensor

    def of_rows(self, rows: Tensor) -> "Streams":
        """Some rows, without columns that none of them needs."""
        n = int(self.mask_RT[rows].sum(-1).max())
        return Streams(
            self.ids_RT[rows, :n],
            self.mask_RT[rows, :n],
            self.tapped_RTSD[rows, :n],
            self.joined_RPD[rows],
            self.places_RP[rows],
        )

    def scaled(self, scale: "Scale") -> "Streams":
        """The same, centred and scaled."""
        tapped = (self.tapped_RTSD.float() - scale.mean_SD) / scale.deviation_SD
        return Streams(self.ids_RT, self.mask_RT, tapped.half(), self.joined_RPD, self.places_RP)


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of every dimension of the tapped streams, over tokens.

    Four fifths of each vector of a trained Llama are the same for all tokens; without them tokens differ.
    """

    mean_SD: Tensor
    deviation_SD: Tensor

    @classmethod
    def of(cls, streams: Streams) -> "Scale":
        """Measured on all tokens but the first of each row, whose stream is an outlier."""
        is_token = streams.mask_RT.bool()
        is_token[:, 0] = False
        tapped = streams.tapped_RTSD[is_token].float()
        return cls(tapped.mean(0), tapped.std(0))


@torch.no_grad()
def record(model: LM2ForCausalLM, rows: Sequence[Sequence[int]], places: Sequence[Sequence[int]]) -> Streams:
    """Run every row on its own through the blocks that are needed.

    places : columns of each row whose stream in the memory's block is wanted, equally many (or none) a row
    """
    (at,) = model.config.memory_blocks
    taps = sorted(model.config.memory_taps or ())
    n_tokens = max(map(len, rows))
    ids = torch.zeros(len(rows), n_tokens, dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    lengths = torch.tensor([len(row) for row in rows])
    mask = (torch.arange(n_tokens) < lengths[:, None]).long()
    places_RP = torch.tensor([list(p) for p in places], dtype=torch.long)
    width = model.config.hidden_size
    tapped = torch.zeros(len(rows), n_tokens, len(taps), width, dtype=torch.float16)
    joined = torch.zeros(*places_RP.shape, width)
    by_length = lengths.argsort(stable=True)
    for batch in by_length.split(ROWS):
        n = int(lengths[batch].max())
        last = at if places_RP.shape[1] else taps[-1]
        streams = _entering(model, ids[batch, :n], last)
        tapped[batch, :n] = torch.stack([streams[tap] for tap in taps], dim=2).half()
        if places_RP.shape[1]:
            mid = _after_attention(model, streams[at], at)
            joined[batch] = mid.gather(1, places_RP[batch, :, None].expand(-1, -1, width))
    return Streams(ids, mask, tapped, joined, places_RP)


def _entering(model: LM2ForCausalLM, ids_BT: Tensor, last: int) -> list[Tensor]:
    """The streams (B,T,D) that enter blocks 0 to ``last``. Causal, so padding on the right does no harm."""
    x_BTD = model.model.embed_tokens(ids_BT)
    rotary = model.model.rotary_emb(x_BTD, torch.arange(ids_BT.shape[1])[None])
    streams = [x_BTD]
    for block in list(model.model.blocks())[:last]:
        streams.append(block(streams[-1], rotary, BlockState(), None, None).x_BTD)
    return streams


def _after_attention(model: LM2ForCausalLM, x_BTD: Tensor, at: int) -> Tensor:
    """The stream of block ``at`` after self-attention, where the memory's read joins."""
    block = list(model.model.blocks())[at]
    rotary = model.model.rotary_emb(x_BTD, torch.arange(x_BTD.shape[1])[None])
    return x_BTD + block.self_attn(block.input_layernorm(x_BTD), rotary, None, None)[0]
