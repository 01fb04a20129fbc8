"""First stage: a fact is written where its question will look, and nothing else is written.

Contrastive: the address that a place's token writes to must be that of the question about the same person,
among those of all others in the batch, and that of another statement about the same person; not that of what
follows the answer, or a token of another place. An answer of several tokens has an address for each. So names
are told apart by what they are, not by heart. And a gate has to open at the tokens of the place alone, in
sentences of books as well.

Source of the loss: van den Oord et al. 2018, arXiv:1807.03748, section 2.3 (InfoNCE).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside.examples import N_PLACES, Examples
from lm2core.training.beside.layout import ALIKE, memory_of, rows_of
from lm2core.training.beside.streams import Streams

N_PEOPLE = 128  # in a step
N_BACKGROUND = 16  # sentences in a step
TEMPERATURE = 0.1
LATER_PIECE = 0.75  # share of answers of several tokens of which a later one is used
SHARP = 20.0  # of the decision whether two addresses are those of one fact, at the cosine of layout.ALIKE
CLAIM_WEIGHT = 0.5
APART_WEIGHT = 1.0  # of one person's tokens of a place, and what is looked for next or of another place
DROPOUT = 0.1  # of the streams, against phrasings learnt by heart
SIZE_WEIGHT = 0.1  # of the loss that keeps addresses at their scale
CALM_WEIGHT = 0.01  # of the loss that keeps the path's stream small beside the words themselves
CALM = 2.0  # root mean square up to which it costs nothing
WRITTEN_WEIGHT = 5.0  # of a token that is to be written, beside one that is not


@dataclass(frozen=True)
class AddressStep:
    """Loss of a step, and what was reached in it.

    found : share of places whose own question has the nearest address, in [0, 1]
    claimed : share of places whose address the question's is alike, as routing decides it
    mistaken : share of places with a question about something else that is alike
    written, left : share of tokens to be written, and not to be, for which the input gate is right
    """

    loss: Tensor
    found: float
    claimed: float
    mistaken: float
    written: float
    left: float


def seen(model: LM2ForCausalLM, streams: Streams, *, dropout: float = 0.0) -> Tensor:
    """What the memory sees (R,T,W) of recorded streams, of which a share ``dropout`` is left out."""
    path = memory_of(model).path
    assert path is not None
    tapped = F.dropout(streams.tapped_RTSD.float(), dropout)
    positions = torch.arange(tapped.shape[1])[None]
    rotary = model.model.rotary_emb(tapped, positions)
    return path.seen(list(tapped.unbind(2)), rotary, None, None)[0]


def address_step(
    model: LM2ForCausalLM, examples: Examples, rng: Random, *, dropout: float = 0.0
) -> AddressStep:
    """One batch of people with one fact each, and some background; ``dropout`` as in ``seen``."""
    drawn, n_background = _draw(examples, rng), len(examples.background.ids_RT)
    statements, again = (examples.statements.of_rows(rows) for rows in (drawn.said, drawn.again))
    prompts, others = (examples.prompts.of_rows(rows) for rows in (drawn.asked, drawn.other))
    background = examples.background.of_rows(torch.tensor(rng.sample(range(n_background), N_BACKGROUND)))
    texts = (statements, again, prompts, others, background)
    seen_said, seen_again, seen_asked, seen_other, seen_background = (
        seen(model, text, dropout=dropout) for text in texts
    )
    write_to = _write_addresses(model, examples, seen_said, drawn.said, drawn.piece)
    write_again = _write_addresses(model, examples, seen_again, drawn.again, drawn.piece)
    look_at, look_next = (
        _look_addresses(model, prompts, seen_asked, piece) for piece in (drawn.piece, drawn.piece + 1)
    )
    ends = examples.n_pieces_R[drawn.asked].clamp(max=N_PLACES - 1)
    alike, shares = _alike_loss(
        write_to, (write_again, look_at), _look_addresses(model, prompts, seen_asked, ends)
    )
    beside = torch.where(drawn.piece > 0, drawn.piece - 1, 1)  # another token of the same place
    write_beside = _write_addresses(model, examples, seen_said, drawn.said, beside)
    look_other = _look_addresses(model, others, seen_other, drawn.other_said)
    apart = _claims(write_to, write_beside)[examples.n_pieces_R[drawn.said] > 1].sum()
    apart = apart + _claims(write_to, look_other)[drawn.is_other].sum() + _claims(write_to, look_next).sum()
    size = sum(((x.pow(2).mean(-1).sqrt() - 1) ** 2).mean() for x in (write_to, look_at))
    calm = F.relu(seen_said.pow(2).mean(-1).sqrt() - CALM).mean()
    gates, gate_shares = _gate_loss(
        model, examples, drawn.said, statements, background, seen_said, seen_background
    )
    loss = alike + APART_WEIGHT * apart / len(write_to) + SIZE_WEIGHT * size + CALM_WEIGHT * calm + gates
    return AddressStep(loss, **shares, **gate_shares)


def _write_addresses(
    model: LM2ForCausalLM, examples: Examples, seen_RTW: Tensor, rows: Tensor, piece: Tensor
) -> Tensor:
    """The addresses (R,A) that the tokens ``piece`` of the places write to."""
    mem, n = memory_of(model), model.config.bank_width // 3 - 1  # the rows that are addresses, see layout.py
    column = (examples.first_R[rows] + piece).clamp(max=seen_RTW.shape[1] - 1)
    tokens = mem.write_norm(seen_RTW[torch.arange(len(rows)), column])
    return F.linear(tokens, mem.token_proj.weight[rows_of(mem, "route_q")][:n])


def _look_addresses(model: LM2ForCausalLM, prompts: Streams, seen_RTW: Tensor, place: Tensor) -> Tensor:
    """The addresses (R,A) that prompts look at where ``place`` tokens of their answers have been said."""
    mem, n, rows = memory_of(model), model.config.bank_width // 3 - 1, torch.arange(len(place))
    return F.linear(mem.read_norm(seen_RTW[rows, prompts.places_RP[rows, place]]), mem.q_proj.weight[:n])


@dataclass(frozen=True)
class _Drawn:
    """Rows of statements about different people, and of the same person's prompts and other statements.

    said, asked, again : a statement, a prompt and one more statement
    piece : which token of the place of ``said`` is meant. For the first the three are about any places of the
        person, since the address must not depend on the place; for a later one they are about the same.
    other, other_said : one more prompt, mostly about another place, and how many of its tokens were said
    is_other : True where these tokens lead to another address than that of ``piece``
    """

    said: Tensor
    asked: Tensor
    again: Tensor
    piece: Tensor
    other: Tensor
    other_said: Tensor
    is_other: Tensor


def _draw(examples: Examples, rng: Random) -> _Drawn:
    drawn = []
    for person in _draw_people(examples, rng):
        of_person = examples.by_person[person]
        said, asked, again, other = (rng.choice(of_person) for _ in range(4))
        n_pieces, piece = int(examples.n_pieces_R[said]), 0
        if n_pieces > 1 and rng.random() < LATER_PIECE:
            asked = again = said
            piece = rng.randrange(1, n_pieces)
        other_said = rng.randint(1, int(examples.n_pieces_R[other]))
        begun = examples.targets_RP[other, :other_said].tolist()
        is_other = begun != examples.targets_RP[said, :piece].tolist()
        drawn.append((said, asked, again, piece, other, other_said, is_other))
    return _Drawn(*(torch.tensor(column) for column in zip(*drawn, strict=True)))


def _draw_people(examples: Examples, rng: Random) -> list[str]:
    """Half of ``N_PEOPLE`` at random, and of each the next by alphabet: names that begin alike."""
    people = sorted(examples.by_person)
    some = rng.sample(range(len(people)), min(N_PEOPLE // 2, len(people)))
    return [people[i] for i in sorted({*some, *((i + 1) % len(people) for i in some)})]


def _alike_loss(
    write_to: Tensor, own: Sequence[Tensor], look_after: Tensor
) -> tuple[Tensor, dict[str, float]]:
    """The loss of addresses of the same and of different facts, and ``AddressStep``'s first three shares.

    own : addresses (R,A) of the same facts, those of questions last; row r is that of row r of ``write_to``
    look_after : what prompts look at after their answers, which is nobody's fact
    """
    n, loss = len(write_to), torch.zeros(())
    is_own = torch.cat([torch.eye(n), torch.zeros(n, n)], 1)
    for to in own:
        cosines = F.normalize(write_to, dim=-1) @ F.normalize(torch.cat([to, look_after]), dim=-1).T
        nearest = F.cross_entropy(cosines / TEMPERATURE, torch.arange(n))
        nearest = nearest + F.cross_entropy(cosines[:, :n].T / TEMPERATURE, torch.arange(n))
        claims = F.binary_cross_entropy_with_logits(SHARP * (cosines - ALIKE), is_own, reduction="none")
        loss = loss + nearest / 4 + CLAIM_WEIGHT * claims.sum(-1).mean() / 2
    claimed = cosines.detach() > ALIKE  # by the last of ``own``
    return loss, {
        "found": float((cosines[:, :n].argmax(1) == torch.arange(n)).float().mean()),
        "claimed": float(claimed.diagonal().float().mean()),
        "mistaken": float((claimed & ~is_own.bool()).any(-1).float().mean()),
    }


def _claims(write_to: Tensor, others: Tensor) -> Tensor:
    """The loss (R,) of addresses that must not be alike, row by row."""
    return F.softplus(SHARP * (F.cosine_similarity(write_to, others) - ALIKE))


def _gate_loss(
    model: LM2ForCausalLM,
    examples: Examples,
    said: Tensor,
    statements: Streams,
    background: Streams,
    seen_said: Tensor,
    seen_other: Tensor,
) -> tuple[Tensor, dict[str, float]]:
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
    return loss, {
        "written": float(is_right[wanted > 0].float().mean()),
        "left": float(is_right[wanted == 0].float().mean()),
    }
