"""Pack text into blocks of token ids of equal length, on which a language model is trained and scored.

Documents are joined by the tokenizer's end-of-text token and cut every ``block_length`` ids, wherever that
falls. A block starts with a fresh bank; the bank is not reset at the end of a document inside a block, which
the model can recognise by the end-of-text token only.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random
from typing import TypeVar

import torch
from torch import Tensor
from torch.utils.data import IterableDataset
from transformers import PreTrainedTokenizerBase

from lm2core.errors import UserError
from lm2core.text.corpus import Corpus

CHARS_PER_TOKEN = 4  # approximately, in English text
BLOCKS_PER_PIECE = 4  # length of the pieces that are held out or not: longer than a block
Item = TypeVar("Item")


@dataclass(frozen=True, kw_only=True)
class Packer:
    """Turns a text into blocks.

    block_length : ids per block
    held_out_every : the first of every so many pieces is held out from training
    """

    corpus: Corpus
    tokenizer: PreTrainedTokenizerBase
    block_length: int
    held_out_every: int

    def ids(self, *, held_out: bool) -> Iterator[list[int]]:
        """Ids of one share of the text, piece by piece, with an end-of-text id after each document."""
        end_of_text = [int(self.tokenizer.eos_token_id)]
        is_open = False
        n_chars = CHARS_PER_TOKEN * BLOCKS_PER_PIECE * self.block_length
        for index, piece in enumerate(self.corpus(n_chars)):
            if (index % self.held_out_every == 0) == held_out:
                ids = self.tokenizer(piece.text, add_special_tokens=False, verbose=False)["input_ids"]
                yield ids + end_of_text * piece.ends_document
                is_open = not piece.ends_document
            elif is_open:  # the document continues in the other share
                yield end_of_text
                is_open = False

    def blocks(self, remainder: list[int], *, held_out: bool = False) -> Iterator[list[int]]:
        """Blocks of one pass over a share; ``remainder`` holds ids left over before and after it."""
        for ids in self.ids(held_out=held_out):
            remainder += ids
            while len(remainder) >= self.block_length:
                yield remainder[: self.block_length]
                del remainder[: self.block_length]

    def held_out_blocks(self, n_blocks: int) -> list[dict[str, Tensor]]:
        """At most ``n_blocks`` blocks of the held-out share, or a single shorter one if it is too short."""
        remainder: list[int] = []
        blocks = list(islice(self.blocks(remainder, held_out=True), n_blocks)) or [remainder]
        return [_example(block) for block in blocks]

    def check_enough(self) -> None:
        """Refuse a text whose training share does not fill one block, with a UserError."""
        remainder: list[int] = []
        if next(self.blocks(remainder), None) is None:
            n_held_out = sum(len(ids) for ids in self.ids(held_out=True))
            raise UserError(
                f"too little text: {len(remainder)} tokens for training and {n_held_out} held out, but a "
                f"block needs {self.block_length}; give more text"
            )


class PackedText(IterableDataset[dict[str, Tensor]]):
    """Training examples: endless passes over the text, determined by the seed.

    Every block occurs once per pass; ids left over at the end begin the next pass, so no token is lost.
    The next block is drawn from a shuffle buffer of ``n_shuffle`` blocks.
    """

    def __init__(self, packer: Packer, *, n_shuffle: int, seed: int) -> None:
        self._packer, self._n_shuffle, self._seed = packer, n_shuffle, seed

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        remainder: list[int] = []
        for n_passes in count():
            rng = Random(f"{self._seed}, {n_passes}")
            yield from shuffled(map(_example, self._packer.blocks(remainder)), self._n_shuffle, rng)


def shuffled(items: Iterable[Item], buffer_size: int, rng: Random) -> Iterator[Item]:
    """Every item once, in random order, through a buffer of at most ``buffer_size`` items."""
    buffer: list[Item] = []
    for item in items:
        buffer.append(item)
        if len(buffer) == buffer_size:
            i = rng.randrange(buffer_size)
            buffer[i], buffer[-1] = buffer[-1], buffer[i]  # removing the last is cheap
            yield buffer.pop()
    rng.shuffle(buffer)
    yield from buffer


def _example(ids: list[int]) -> dict[str, Tensor]:
    block = torch.tensor(ids)
    return {"input_ids": block, "labels": block}
