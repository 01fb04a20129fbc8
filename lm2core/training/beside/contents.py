"""Second stage: a slot can hold any token of the vocabulary, and its read makes the frozen head say it.

Tokens are drawn from the whole vocabulary and take the place of the words that statements are about, so that
no word is privileged; nothing about sentences is learnt any more.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.training.beside.addresses import seen
from lm2core.training.beside.examples import Examples
from lm2core.training.beside.layout import Parts, memory_of, rows_of
from lm2core.training.beside.streams import Scale, Streams

N_TOKENS = 256  # in a step
N_OTHERS = 6000  # tokens that they are told from, drawn anew in each step
LEAST_SHARE = 0.6  # of a slot that a token takes, and
LEAST_READ = 0.8  # of the read that is of that slot, both up to 1
MOST_OLD = 0.7
FIRST_ID = 3  # ids before it are special tokens
ROWS = 512  # in one pass


class Contents:
    """What tokens are written beside, computed once: the path does not change in this stage."""

    def __init__(self, model: LM2ForCausalLM, examples: Examples, scale: Scale) -> None:
        self.model, self.examples, self.scale = model, examples, scale
        self.mem, self.parts = memory_of(model), Parts.of(model.config.bank_width)
        self.around_RW = seen_at(model, examples.statements, examples.first_R)

    def loss(self) -> Tensor:
        """Mean cross entropy (nats) of tokens that were written and read again."""
        ids = torch.randint(FIRST_ID, self.model.config.vocab_size, (N_TOKENS,))
        others = torch.randint(FIRST_ID, self.model.config.vocab_size, (N_OTHERS,))
        candidates = torch.unique(torch.cat([ids, others]))
        logits = self._said_again(ids) @ self.model.lm_head.weight[candidates].T
        return F.cross_entropy(logits, torch.searchsorted(candidates, ids))

    @torch.no_grad()
    def accuracy(self, ids: Tensor) -> float:
        """The share of tokens that come back as the most likely of the vocabulary, in [0, 1]."""
        return float((self.model.lm_head(self._said_again(ids)).argmax(-1) == ids).float().mean())

    def _said_again(self, ids: Tensor) -> Tensor:
        """The stream (n,D) before the head after tokens were stored, read, and joined to that of a prompt."""
        model, mem, n, width = self.model, self.mem, len(ids), self.model.config.bank_width
        assert mem.path is not None
        stream = self.around_RW[torch.randint(len(self.around_RW), (n,))].clone()
        embedded = (model.model.embed_tokens(ids) - self.scale.mean_SD[0]) / self.scale.deviation_SD[0]
        into = mem.path.into.weight[self.parts.content, : embedded.shape[1]]
        stream[:, self.parts.content] = F.linear(embedded, into)
        maps = mem.token_proj.weight[rows_of(mem, "content")]
        written = torch.tanh(F.linear(mem.write_norm(stream), maps))
        old = torch.zeros(n, width)  # what earlier reads left in the slot
        old[:, self.parts.read] = torch.randn(n, width // 3) * torch.rand(n, 1) * MOST_OLD
        share = LEAST_SHARE + (1 - LEAST_SHARE) * torch.rand(n, 1)
        fresh = torch.eye(width)[torch.randint(min(model.config.memory_slots, width), (n,))]
        slot = (1 - share) * fresh + share * (written + old)
        read = F.linear(mem.bank_norm(slot), mem.bank_proj.weight[width : 2 * width])
        read = read * torch.sigmoid(mem.gate_out(read)) * (LEAST_READ + (1 - LEAST_READ) * torch.rand(n, 1))
        rows = torch.randint(len(self.examples.pairs), (n,))
        place = (torch.rand(n) * self.examples.n_pieces_R[rows]).long()
        return after_join(model, self.examples.prompts.joined_RPD[rows, place] + mem.path.back(read))


@torch.no_grad()
def seen_at(model: LM2ForCausalLM, streams: Streams, column_R: Tensor) -> Tensor:
    """What the memory sees (R,W) at one column of every row."""
    some = torch.arange(len(column_R)).split(ROWS)
    return torch.cat([seen(model, streams.of_rows(r))[torch.arange(len(r)), column_R[r]] for r in some])


def after_join(model: LM2ForCausalLM, mid_ND: Tensor) -> Tensor:
    """The normed stream (n,D) that the head sees, from that of the last block after the memory's read."""
    block = list(model.model.blocks())[-1]
    stream: Tensor = model.model.norm(mid_ND + block.mlp(block.post_attention_layernorm(mid_ND)))
    return stream
