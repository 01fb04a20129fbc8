"""First stage: a fact is written where its question will look, and nothing else is written.

Contrastive: the address that a place's token writes to must be that of the question about the same person,
among those of all others in the batch, and that of another statement about the same person; not that of what
follows the answer. An answer of several tokens has an address for each. So names are told apart by what they
are, not by heart. And a gate has to open at the tokens of the place alone, in sentences of books as well.

Source of the loss: van den Oord et al. 2018, arXiv:1807.03748, section 2.3 (InfoNCE).
"""

from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside.examples import N_PLACES, Examples
from lm2core.training.beside.layout import memory_of, rows_of
from lm2core.training.beside.streams import Streams

N_PEOPLE = 128  # in a step
N_BACKGROUND = 16  # sentences in a step
TEMPERATURE = 0.1
LATER_PIECE = 0.5  # share of answers of several tokens of which a later one is used
FAR = 0.2  # cosine up to which tokens of one place, and what follows it, may have like addresses
APART_WEIGHT = 2.0
SIZE_WEIGHT = 0.1  # of the loss that keeps addresses at their scale
CALM_WEIGHT = 0.01  # of the loss that keeps the path's stream small beside the words themselves
CALM = 2.0  # root mean square up to which it costs nothing
WRITTEN_WEIGHT = 5.0  # of a token that is to be written, beside one that is not


@dataclass(frozen=True)
class AddressStep:
    """Loss of a step, and what was reached in it.

    found : share of places whose own question has the nearest address, in [0, 1]
    likeness : mean cosine of the two addresses of a fact, in [-1, 1]
    written, left : share of tokens to be written, and not to be, for which the input gate is right
    """

    loss: Tensor
    found: float
    likeness: float
    written: float
    left: float


def seen(model: LM2ForCausalLM, streams: Streams) -> Tensor:
    """What the memory sees (R,T,W) of recorded streams."""
    path = memory_of(model).path
    assert path is not None
    tapped = streams.tapped_RTSD.float()
    positions = torch.arange(tapped.shape[1])[None]
    rotary = model.model.rotary_emb(tapped, positions)
    return path.seen(list(tapped.unbind(2)), rotary, None, None)[0]


def address_step(model: LM2ForCausalLM, examples: Examples, rng: Random) -> AddressStep:
    """One batch of people with one fact each, and some background."""
    mem, width = memory_of(model), model.config.bank_width
    said, asked, again, piece = _draw(examples, rng)
    statements, prompts = examples.statements.of_rows(said), examples.prompts.of_rows(asked)
    others = examples.statements.of_rows(again)
    background = examples.background.of_rows(
        torch.tensor(rng.sample(range(len(examples.background.ids_RT)), N_BACKGROUND))
    )
    seen_said, seen_asked, seen_again, seen_other = (
        seen(model, x) for x in (statements, prompts, others, background)
    )
    rows, n = torch.arange(len(said)), width // 3 - 1  # the rows that are addresses, see layout.py
    write_to = _write_addresses(model, examples, seen_said, said, piece)
    write_again = _write_addresses(model, examples, seen_again, again, piece)
    ends = examples.n_pieces_R[asked].clamp(max=N_PLACES - 1)
    look_at, look_after = (
        F.linear(mem.read_norm(seen_asked[rows, prompts.places_RP[rows, place]]), mem.q_proj.weight[:n])
        for place in (piece, ends)
    )
    nearest, found = _contrast(write_to, look_at, look_after)
    nearest = (nearest + _contrast(write_to, write_again, look_after)[0]) / 2
    is_last = (piece > 0) & (piece == examples.n_pieces_R[asked] - 1)
    too_near = F.relu(F.cosine_similarity(write_to, look_after) - FAR)[is_last].sum()
    beside = torch.where(piece > 0, piece - 1, 1)  # another token of the same place
    write_beside = _write_addresses(model, examples, seen_said, said, beside)
    has_more = examples.n_pieces_R[said] > 1
    too_near = too_near + F.relu(F.cosine_similarity(write_to, write_beside) - FAR)[has_more].sum()
    size = sum(((x.pow(2).mean(-1).sqrt() - 1) ** 2).mean() for x in (write_to, look_at))
    calm = F.relu(seen_said.pow(2).mean(-1).sqrt() - CALM).mean()
    loss = nearest + APART_WEIGHT * too_near / len(said) + SIZE_WEIGHT * size + CALM_WEIGHT * calm
    likeness = float(F.cosine_similarity(write_to.detach(), look_at.detach()).mean())
    gates, written, left = _gate_loss(model, examples, said, statements, background, seen_said, seen_other)
    return AddressStep(loss + gates, found, likeness, written, left)


def _write_addresses(
    model: LM2ForCausalLM, examples: Examples, seen_RTW: Tensor, rows: Tensor, piece: Tensor
) -> Tensor:
    """The addresses that the tokens ``piece`` of the places write to."""
    mem, n = memory_of(model), model.config.bank_width // 3 - 1
    column = (examples.first_R[rows] + piece).clamp(max=seen_RTW.shape[1] - 1)
    tokens = mem.write_norm(seen_RTW[torch.arange(len(rows)), column])
    return F.linear(tokens, mem.token_proj.weight[rows_of(mem, "route_q")][:n])


def _draw(examples: Examples, rng: Random) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of statements, of prompts and of other statements about the same people, and which token is meant.

    For the first token of a place the three are about any places of the person, since the address must not
    depend on the place; for a later one they are about the same place.
    """
    drawn = []
    for person in examples.draw_people(rng, N_PEOPLE):
        of_person = examples.by_person[person]
        said, asked, again, piece = rng.choice(of_person), rng.choice(of_person), rng.choice(of_person), 0
        n_pieces = int(examples.n_pieces_R[said])
        if n_pieces > 1 and rng.random() < LATER_PIECE:
            asked = again = said
            piece = rng.randrange(1, n_pieces)
        drawn.append((said, asked, again, piece))
    said_R, asked_R, again_R, piece_R = (torch.tensor(column) for column in zip(*drawn, strict=True))
    return said_R, asked_R, again_R, piece_R


def _contrast(write_to: Tensor, look_at: Tensor, look_after: Tensor) -> tuple[Tensor, float]:
    """The loss, and the share of rows of ``write_to`` that are nearest to their own of ``look_at``."""
    write_to, looks = F.normalize(write_to, dim=-1), F.normalize(torch.cat([look_at, look_after]), dim=-1)
    scores = write_to @ looks.T / TEMPERATURE
    own, n = torch.arange(len(write_to)), len(write_to)
    loss = (F.cross_entropy(scores, own) + F.cross_entropy(scores[:, :n].T, own)) / 2
    return loss, float((scores[:, :n].argmax(1) == own).float().mean())


def _gate_loss(
    model: LM2ForCausalLM,
    examples: Examples,
    said: Tensor,
    statements: Streams,
    background: Streams,
    seen_said: Tensor,
    seen_other: Tensor,
) -> tuple[Tensor, float, float]:
    """Binary cross entropy of both gates at every token, and the shares of right input gates."""
    mem = memory_of(model)
    column = torch.arange(statements.ids_RT.shape[1])
    first = examples.first_R[said, None]
    is_fact = (column >= first) & (column < first + examples.n_pieces_R[said, None])
    is_token, is_other = statements.mask_RT.bool(), background.mask_RT.bool()
    tokens = mem.write_norm(torch.cat([seen_said[is_token], seen_other[is_other]]))
    wanted = torch.cat([is_fact[is_token], is_fact.new_zeros(int(is_other.sum()))]).float()
    weight = 1 + (WRITTEN_WEIGHT - 1) * wanted
    maps = mem.token_proj.weight
    gate_in = F.linear(tokens, maps[rows_of(mem, "gate_in")])
    gate_forget = F.linear(tokens, maps[rows_of(mem, "gate_forget")]) + mem.gate_forget.bias
    loss = torch.zeros(())
    for gate, goal in ((gate_in, wanted), (gate_forget, 1 - wanted)):
        each = F.binary_cross_entropy_with_logits(gate, goal[:, None].expand_as(gate), reduction="none")
        loss = loss + (each.mean(-1) * weight).mean()
    is_right = (gate_in.mean(-1) > 0) == (wanted > 0)
    return loss, float(is_right[wanted > 0].float().mean()), float(is_right[wanted == 0].float().mean())
