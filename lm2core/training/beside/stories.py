"""Third stage: stories. The language model's own loss on the words that answer, after any sentence.

Statements of a few people, in which they move on, and background sentences follow each other; the memory
reads and writes them in order, and prompts about what was said read its bank. Addresses stay as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.memory import initial_bank
from lm2core.training.beside.addresses import seen
from lm2core.training.beside.contents import FIRST_ID, after_join
from lm2core.training.beside.examples import N_PLACES, Examples
from lm2core.training.beside.layout import memory_of
from lm2core.training.beside.streams import Streams

N_PEOPLE = 4  # in a story
N_OTHERS = 3000  # tokens of the vocabulary that answers are told from, beside those of all answers


@dataclass(frozen=True, slots=True)
class DrawnStory:
    """Rows of statements in order, with the person of each; row -1 - i is background sentence i.

    Questions are asked after a sentence: (sentence, row of the prompt with the right answer, is it of an
    earlier sentence).
    """

    rows: tuple[int, ...]
    questions: tuple[tuple[int, int, bool], ...]


def draw_story(
    examples: Examples, rng: Random, *, n_sentences: int, background: float, n_questions: int
) -> DrawnStory:
    """A story; each sentence but the first is background with probability ``background``."""
    people = examples.draw_people(rng, N_PEOPLE)
    introduced = list(people)
    rows: list[int] = []
    latest: dict[str, tuple[int, int]] = {}
    questions: list[tuple[int, int, bool]] = []
    for k in range(n_sentences):
        if k and rng.random() < background:
            rows.append(-1 - rng.randrange(len(examples.background.ids_RT)))
        else:
            person = introduced.pop() if introduced else rng.choice(people)
            rows.append(rng.choice(examples.by_person[person]))
            latest[person] = (k, rows[-1])
        asked = rng.sample(list(latest), min(n_questions, len(latest)))
        questions += [(k, latest[person][1], latest[person][0] < k) for person in asked]
    return DrawnStory(tuple(rows), tuple(questions))


@dataclass(frozen=True)
class StoryStep:
    """Loss of a step, and for each question whether all tokens of the answer were right and then the word
    ended, and whether an earlier sentence than the last holds it.
    """

    loss: Tensor
    is_right_Q: Tensor
    is_earlier_Q: Tensor


def story_step(
    model: LM2ForCausalLM, examples: Examples, stories: Sequence[DrawnStory], *, every_word: bool = False
) -> StoryStep:
    """Read stories of equal length and answer; ``every_word``: among the whole vocabulary."""
    stream_QPD, row_Q, is_earlier_Q = answer_streams(model, examples, stories)
    is_asked = examples.is_asked_RP[row_Q]
    candidates = torch.arange(model.config.vocab_size) if every_word else _candidates(model, examples)
    logits = stream_QPD[is_asked] @ model.lm_head.weight[candidates].T
    wanted = torch.searchsorted(candidates, examples.targets_RP[row_Q][is_asked])
    given = candidates[logits.argmax(-1)]
    is_end = (torch.arange(N_PLACES) == examples.n_pieces_R[row_Q, None])[is_asked]
    is_right = torch.ones(len(row_Q), N_PLACES, dtype=torch.bool)
    is_right[is_asked] = (given == candidates[wanted]) | (is_end & examples.ends_word_V[given])
    return StoryStep(F.cross_entropy(logits, wanted), is_right.all(-1), is_earlier_Q)


def answer_streams(
    model: LM2ForCausalLM, examples: Examples, stories: Sequence[DrawnStory]
) -> tuple[Tensor, Tensor, Tensor]:
    """What the head sees (Q,P,D) at the places of each prompt; the prompt's row (Q,); and whether its fact is
    of an earlier sentence than the last (Q,).
    """
    mem, banks = memory_of(model), _banks(model, examples, stories)
    assert mem.path is not None
    asked = [(b, *question) for b, story in enumerate(stories) for question in story.questions]
    story, sentence, row, is_earlier = (torch.tensor(column) for column in zip(*asked, strict=True))
    prompts = examples.prompts.of_rows(row)
    looks = seen(model, prompts)
    places = prompts.places_RP[..., None].expand(-1, -1, looks.shape[-1])
    bank = torch.stack(banks, 1)[story, sentence]
    read = mem.read(looks.gather(1, places), mem.slots(bank, mem.slot_key))[0]
    return after_join(model, prompts.joined_RPD + mem.path.back(read)), row, is_earlier


def _candidates(model: LM2ForCausalLM, examples: Examples) -> Tensor:
    others = torch.randint(FIRST_ID, model.config.vocab_size, (N_OTHERS,))
    return torch.unique(torch.cat([examples.targets_RP.flatten(), others]))


def _banks(model: LM2ForCausalLM, examples: Examples, stories: Sequence[DrawnStory]) -> list[Tensor]:
    """The bank (B,N,W) after each sentence."""
    mem = memory_of(model)
    config = model.config
    bank = initial_bank(len(stories), config.memory_slots, config.bank_width, like=mem.slot_key)
    banks = []
    for k in range(len(stories[0].rows)):
        sentences = _sentences(examples, [story.rows[k] for story in stories])
        stream = seen(model, sentences)
        stream = stream + mem.read(stream, mem.slots(bank, mem.slot_key))[0]
        bank = mem.write(stream, bank, sentences.mask_RT)
        banks.append(bank)
    return banks


def _sentences(examples: Examples, rows: Sequence[int]) -> Streams:
    """Statements, or for negative rows background, one after the other."""
    of_facts = torch.tensor([row for row in rows if row >= 0], dtype=torch.long)
    of_others = torch.tensor([-1 - row for row in rows if row < 0], dtype=torch.long)
    if not len(of_others):
        return examples.statements.of_rows(of_facts)
    parts = [examples.background.of_rows(of_others)]
    parts += [examples.statements.of_rows(of_facts)] if len(of_facts) else []
    n = max(part.ids_RT.shape[1] for part in parts)
    others_first = sorted(range(len(rows)), key=lambda i: rows[i] >= 0)
    back = torch.tensor(others_first).argsort()
    ids, mask, tapped = (
        torch.cat([_padded(getattr(part, name), n) for part in parts])[back]
        for name in ("ids_RT", "mask_RT", "tapped_RTSD")
    )
    none = torch.zeros(len(rows), 0)
    return Streams(ids, mask, tapped, none, none)


def _padded(x: Tensor, n: int) -> Tensor:
    return torch.cat([x, x.new_zeros(len(x), n - x.shape[1], *x.shape[2:])], 1)
