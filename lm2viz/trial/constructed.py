"""LM2s whose weights are set by hand, so that which slots hold a fact, and which are read, is known.

A sentence is ``Mary kitchen``, a question ``where Mary?``. Block 0 copies the person to the words behind it.
Every further block has a memory: a place is written to the slot of the person before it, as numbers of +1 and
-1, one for each place; a question reads the slot of its person. Nothing else is ever written or read.

The idea of models with known circuits, on which methods are tried, is that of InterpBench, Gupta et al. 2024,
arXiv:2407.14494; theirs are trained, these are written down.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lm2core.model.attention_layer import LM2Attention
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.model.memory import LM2Memory
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer

PEOPLE, PLACES = ("Mary", "John", "Sandra"), ("garden", "hallway", "kitchen", "office")
ALL = tuple(range(len(PLACES)))
SIZE, SHARP = 3.0, 10.0
TOKENIZER = word_tokenizer([*PEOPLE, *PLACES, "where", "?"])


@dataclass(frozen=True, slots=True)
class Memory:
    """What the memory of one block does.

    slot_of : the slot of each person whose place it writes, and reads unless ``is_read`` is False
    places : which of the numbers of a place it writes
    part : the part of a slot that it writes to: two memories can share a slot
    """

    slot_of: Mapping[str, int]
    places: tuple[int, ...] = ALL
    part: int = 0
    is_read: bool = True


@dataclass(frozen=True, slots=True)
class Layout:
    """What the dimensions of the stream and of a slot mean, by the first of each.

    n_slots : the last one is where words write that say no place, and they write nothing
    n_parts : of a slot
    """

    n_slots: int
    n_parts: int = 1

    @property
    def people(self) -> int:
        """One dimension for each person."""
        return self.n_slots

    @property
    def places(self) -> int:
        """One dimension for each place; in a slot, the numbers of its first part."""
        return self.people + len(PEOPLE)

    @property
    def said(self) -> int:
        """One dimension for each place that can be answered."""
        return self.places + self.n_parts * len(PLACES)

    @property
    def some(self) -> int:
        """One dimension that every word has."""
        return self.said + len(PLACES)

    @property
    def width(self) -> int:
        """The width of the model, an even number."""
        return 2 * ((self.some + 2) // 2)

    def part(self, part: int) -> range:
        """The dimensions of one part of a slot."""
        return range(self.places + part * len(PLACES), self.places + (part + 1) * len(PLACES))


def construct(name: str, memories: Sequence[Memory], layout: Layout) -> LoadedModel:
    """The model with these memories, one block each."""
    config = LM2Config(
        vocab_size=len(TOKENIZER),
        hidden_size=layout.width,
        intermediate_size=7,
        num_hidden_layers=1 + len(memories),
        num_attention_heads=1,
        memory_heads=1,
        memory_slots=layout.n_slots,
        memory_layers=list(range(1, 1 + len(memories))),
        tie_word_embeddings=False,
    )
    model = LM2ForCausalLM(config).eval()
    with torch.no_grad():
        for parameter, weight in model.named_parameters():
            if "norm" not in parameter:
                weight.zero_()
        _set_words(model, layout)
        _copy_people(model.model.layers[0].self_attn, layout)
        for block, memory in enumerate(memories, start=1):
            _set_memory(model.model.layers[block].mem, memory, layout)
    return LoadedModel(name, model, TOKENIZER)


def _set_words(model: LM2ForCausalLM, layout: Layout) -> None:
    ids = TOKENIZER.get_vocab()
    embedding, head = model.model.embed_tokens.weight, model.lm_head.weight
    for first, words in ((layout.people, PEOPLE), (layout.places, PLACES)):
        for i, word in enumerate(words):
            embedding[ids[word.lower()], first + i] = SIZE
    embedding[:, layout.some] = SIZE
    for i, place in enumerate(PLACES):
        head[ids[place], layout.said + i] = SIZE


def _copy_people(attention: LM2Attention, layout: Layout) -> None:
    """Every word takes the mean of the people up to it; queries are zero, so attention is even."""
    for i in range(layout.people, layout.places):
        attention.v_proj.weight[i, i] = attention.o_proj.weight[i, i] = 1.0


def _set_memory(mem: LM2Memory, memory: Memory, layout: Layout) -> None:
    width, sink, some = layout.width, layout.n_slots - 1, layout.some
    gate_in, keep, content, route = mem.token_proj.weight.split(width)
    value = mem.bank_proj.weight[width : 2 * width]
    stated, part = slice(layout.places, layout.places + len(PLACES)), layout.part(memory.part)
    mem.slot_key.copy_(SHARP * torch.eye(layout.n_slots, width))
    _set_addresses(mem.q_proj.weight, route, memory, layout)
    route[sink, some] = 5 * SHARP  # words that say no place go to the last slot, and write nothing
    route[sink, stated] = -5 * SHARP
    gate_in[:, some] = -2 * SHARP
    keep[:, some] = 2 * SHARP
    others = [dim for p in range(layout.n_parts) if p != memory.part for dim in layout.part(p)]
    cleared = [dim for dim in range(width) if dim not in others]
    keep[cleared, stated] = -4 * SHARP  # a place takes all the room of its part
    for i in memory.places:
        gate_in[part[i], stated] = 4 * SHARP  # only places are let in, and only where places stand
        content[part[i], layout.places + i] = 2 * SHARP
        content[part[i], some] = -SHARP
        if memory.is_read:
            value[layout.said + i, part[i]] = 1.0
    for person in set(PEOPLE) - set(memory.slot_of):
        gate_in[:, layout.people + PEOPLE.index(person)] = -12 * SHARP
        keep[:, layout.people + PEOPLE.index(person)] = 12 * SHARP
    mem.gate_out.bias.fill_(2 * SHARP)


def _set_addresses(read: Tensor, route: Tensor, memory: Memory, layout: Layout) -> None:
    """A person leads to their slot; who has none leads to the last one, where nothing is written."""
    for i, person in enumerate(PEOPLE):
        slot = memory.slot_of.get(person, layout.n_slots - 1)
        read[slot, layout.people + i] = SHARP
        if person in memory.slot_of:
            route[slot, layout.people + i] = SHARP
