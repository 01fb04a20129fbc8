"""How long a model keeps a fact: correct answers by segments of background since it was last stated.

Stories of moves stand among the first segments, background alone follows, and everybody is asked after.
Chance is one place of six. Background is the test share of Python's documentation.

    python benchmarks/retention.py babilong-qa1-5        # about 3 minutes on one core
"""

from collections.abc import Iterator
from itertools import islice, pairwise
from random import Random

import torch
import typer
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from lm2core.babi.world import HOME
from lm2core.babilong.background_text import Noise, open_noise
from lm2core.reading.checkpoints import load
from lm2core.reading.continuing import answer_logits
from lm2core.reading.loaded_model import LoadedModel

N_SEGMENTS, N_MOVES = 24, 8  # of which the first four are of one person each
AFTER = (0, 100, 200, 300, 400, 600, 800, 1_000, 1_200)  # segments of background
CHUNK = 64  # segments read at a time
QuestionAnswer = tuple[str, str]


def person_story(
    lm: LoadedModel, noise: Noise, length: int, rng: Random
) -> tuple[list[list[int]], list[QuestionAnswer]]:
    """The ids of a story's segments, and its questions with their answers."""
    segments = list(islice(background(lm, noise, rng), length))
    where: dict[str, str] = {}
    for i, at in enumerate(sorted(rng.sample(range(N_SEGMENTS), N_MOVES))):
        person = HOME.actors[i] if i < len(HOME.actors) else rng.choice(HOME.actors)
        where[person] = rng.choice(HOME.places)
        segments[at] = encode(lm, f"{person} went to the {where[person]}.")
    return segments, [(f"Where is {person}?", place) for person, place in where.items()]


def background(lm: LoadedModel, noise: Noise, rng: Random) -> Iterator[list[int]]:
    """The ids of background sentences from a random place on, in parts of at most a segment."""
    n = lm.model.config.segment_length
    for sentence in noise.from_anywhere(rng):
        ids = encode(lm, sentence)
        yield from (ids[i : i + n] for i in range(0, len(ids), n))


def encode(lm: LoadedModel, text: str) -> list[int]:
    """The ids of a text."""
    ids: list[int] = lm.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


@torch.no_grad()
def retention(lm: LoadedModel, n_stories: int, seed: int) -> Iterator[tuple[int, float]]:
    """Segments of background, and the share of correct answers after them."""
    rng, noise, model = Random(seed), open_noise(split="test"), lm.model
    generated = [person_story(lm, noise, N_SEGMENTS + AFTER[-1], rng) for _ in range(n_stories)]
    ids_BST = padded([ids for segments, _ in generated for ids in segments]).unflatten(0, (n_stories, -1))
    asked = [(b, *question) for b, (_, questions) in enumerate(generated) for question in questions]
    story_Q = torch.tensor([b for b, _, _ in asked])
    question_QT = padded([encode(lm, text) for _, text, _ in asked])
    answer_Q = torch.tensor([encode(lm, answer)[0] for _, _, answer in asked])
    bank = None
    for start, end in pairwise((0, *(N_SEGMENTS + n for n in AFTER))):
        for chunk in ids_BST[:, start:end].split(CHUNK, dim=1):
            bank = model(chunk, (chunk != 0).long(), bank, logits_to_keep=1).memory
        given_Q = answer_logits(model, question_QT, (question_QT != 0).long(), bank[story_Q]).argmax(-1)
        yield end - N_SEGMENTS, float((given_Q == answer_Q).float().mean())


def padded(rows: list[list[int]]) -> Tensor:
    """Rows of ids as one array; 0 is padding."""
    return pad_sequence([torch.tensor(ids) for ids in rows], batch_first=True)


def main(model: str, stories: int = 32, seed: int = 5) -> None:
    """Print one row per number of segments."""
    torch.set_num_threads(1)
    for n, share in retention(load(model), stories, seed):
        typer.echo(f"{n:>6} segments of background: {share:.1%} correct")


if __name__ == "__main__":
    typer.run(main)
