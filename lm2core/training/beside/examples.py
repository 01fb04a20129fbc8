"""Training examples: recorded streams of statements, prompts and background, and where their answers are.

Axes: see streams.py, plus P places of a prompt: its last token, then those of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lm2core.errors import UserError
from lm2core.files import atomic_path
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.given_words import continues_word
from lm2core.text.shown_words import token_texts
from lm2core.training.beside.pairs import MOST_PIECES, Pair
from lm2core.training.beside.streams import Scale, Streams, record

N_PLACES = MOST_PIECES + 1
END = "."  # what follows an answer
RECORDED = ("statements", "prompts", "background")
OWN = ("n_pieces_R", "first_R", "targets_RP", "is_asked_RP", "ends_word_V")


@dataclass(frozen=True)
class Examples:
    """Pairs with the streams of their texts; row i of each belongs to pair i.

    n_pieces_R : tokens of the answer
    first_R : the column of its first token in the statement
    targets_RP : the answer's tokens and the one that ends it; what follows in a row is not asked
    is_asked_RP : True for those
    ends_word_V : True for tokens after which a word has ended: those that begin with a space or a sign
    by_person : the rows of each person
    background : rows that state no fact
    """

    pairs: Sequence[Pair]
    statements: Streams
    prompts: Streams
    n_pieces_R: Tensor
    first_R: Tensor
    targets_RP: Tensor
    is_asked_RP: Tensor
    ends_word_V: Tensor
    by_person: dict[str, list[int]]
    background: Streams

    def scaled(self, scale: Scale) -> "Examples":
        """The same with centred and scaled streams."""
        streams = {
            name: getattr(self, name).scaled(scale) for name in ("statements", "prompts", "background")
        }
        return Examples(**(vars(self) | streams))

    def draw_people(self, rng: Random, n: int) -> list[str]:
        """``n`` different people, or all if there are fewer."""
        return rng.sample(list(self.by_person), min(n, len(self.by_person)))


def record_examples(
    model: LM2ForCausalLM,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    background: Sequence[str],
    *,
    most_tokens: int,
) -> Examples:
    """Run the Llama over all texts once; background sentences are cut after ``most_tokens``."""
    said: list[list[int]] = tokenizer([pair.statement for pair in pairs])["input_ids"]
    asked: list[list[int]] = tokenizer([f"{pair.prompt} {pair.place}" for pair in pairs])["input_ids"]
    pieces: list[list[int]] = [row[1:] for row in tokenizer([pair.place for pair in pairs])["input_ids"]]
    end = tokenizer(f"{pairs[0].place}{END}")["input_ids"][-1]
    n_pieces = torch.tensor([len(piece) for piece in pieces])
    targets = torch.full((len(pairs), N_PLACES), end)
    for i, piece in enumerate(pieces):
        targets[i, : len(piece)] = torch.tensor(piece)
    # The place before the answer's first token, and those of its tokens; a shorter answer repeats its last.
    places = [
        [len(row) - len(piece) - 1 + min(p, len(piece)) for p in range(N_PLACES)]
        for row, piece in zip(asked, pieces, strict=True)
    ]
    noise = [row[:most_tokens] for row in tokenizer(list(background))["input_ids"]]
    return Examples(
        pairs=pairs,
        statements=record(model, said, [()] * len(said)),
        prompts=record(model, asked, places),
        n_pieces_R=n_pieces,
        first_R=torch.tensor([_last(row, piece) for row, piece in zip(said, pieces, strict=True)]),
        targets_RP=targets,
        is_asked_RP=torch.arange(N_PLACES) <= n_pieces[:, None],
        ends_word_V=_ends_word(tokenizer, model.config.vocab_size),
        by_person=_by_person(pairs),
        background=record(model, noise, [()] * len(noise)),
    )


def _ends_word(tokenizer: PreTrainedTokenizerBase, n_words: int) -> Tensor:
    known = min(len(tokenizer), n_words)
    texts = token_texts(tokenizer, list(range(known)))
    return torch.tensor([not continues_word(text) for text in texts] + [True] * (n_words - known))


def _by_person(pairs: Sequence[Pair]) -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for i, pair in enumerate(pairs):
        rows.setdefault(pair.person, []).append(i)
    return rows


def _last(row: Sequence[int], piece: Sequence[int]) -> int:
    """Where ``piece`` last begins in ``row``."""
    n = len(piece)
    return max(i for i in range(len(row) - n + 1) if list(row[i : i + n]) == list(piece))


def save_examples(examples: Examples, path: Path) -> None:
    """Write the recorded tensors to one file, whole or not at all."""
    tensors = {
        f"{part}.{name}": value.contiguous()
        for part in RECORDED
        for name, value in vars(getattr(examples, part)).items()
    }
    tensors |= {name: getattr(examples, name) for name in OWN}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def load_examples(path: Path, pairs: Sequence[Pair]) -> Examples:
    """What ``save_examples`` wrote, of the same pairs."""
    tensors = load_file(path)
    if len(tensors["first_R"]) != len(pairs):
        raise UserError(f"{path} holds {len(tensors['first_R'])} examples, not {len(pairs)}; delete it")
    statements, prompts, background = (_streams(tensors, part) for part in RECORDED)
    own = {name: tensors[name] for name in OWN}
    return Examples(pairs, statements, prompts, **own, by_person=_by_person(pairs), background=background)


def _streams(tensors: dict[str, Tensor], part: str) -> Streams:
    prefix = f"{part}."
    return Streams(**{name.removeprefix(prefix): x for name, x in tensors.items() if name.startswith(prefix)})
