"""A batch of stories as ids, whatever they come from."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lm2core.babi.story import Question
from lm2core.text.tokenizer import answer_tokens

PlacedQuestion = tuple[int, str, Question]  # segment after which it is asked, task, question
EncodedStory = tuple[list[list[int]], list[PlacedQuestion]]  # ids of its segments, and its questions


@dataclass(frozen=True, slots=True)
class StoryBatch:
    """Stories of equal length and a flat list of the different questions about them.

    Questions are drawn with replacement. What is drawn several times at one place of a story has one result,
    so it is here once, with the number of times.

    before_ids : (B,S0,T) sentences read without gradient; S0 may be 0
    story_ids : (B,S,T) sentences; 0 is padding
    question_ids : (Q,T') questions; 0 is padding
    story, segment : (Q,) the story of each question, and the sentence (index in S) after which it is asked
    answer_ids : (Q,) ids of the one-word answers
    n_asked : (Q,) how often each question was drawn; float, because it is a weight
    tasks : names of the Q questions' tasks
    """

    before_ids: Tensor
    story_ids: Tensor
    question_ids: Tensor
    story: Tensor
    segment: Tensor
    answer_ids: Tensor
    n_asked: Tensor
    tasks: tuple[str, ...]

    def to(self, device: torch.device) -> "StoryBatch":
        """The same batch on another device."""
        tensors = {f.name: getattr(self, f.name).to(device) for f in fields(self) if f.name != "tasks"}
        return StoryBatch(**tensors, tasks=self.tasks)

    def total(self, values_Q: Tensor) -> Tensor:
        """The sum of a value of each question over all that were drawn."""
        return (values_Q * self.n_asked).sum()

    def mean(self, values_Q: Tensor) -> Tensor:
        """The mean of a value of each question over all that were drawn."""
        return self.total(values_Q) / self.n_asked.sum()


class Encoder:
    """Ids of texts and of answers, each found once.

    text : ids of a sentence or a question
    answer : id of an answer, which is one entry of the vocabulary even if it has several words
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.text = lru_cache(maxsize=None)(
            lambda text: tokenizer(text, add_special_tokens=False)["input_ids"]
        )
        self.answer = lru_cache(maxsize=None)(lambda text: answer_tokens(tokenizer, text)[0])


def make_batch(stories: Sequence[EncodedStory], n_before: int, encoder: Encoder) -> StoryBatch:
    """The batch of stories with equally many segments, of which ``n_before`` are read without gradient.

    The segment of a question counts from there.
    """
    n_asked = Counter(
        (b, segment, task, question.text, question.answer)
        for b, (_, placed_of_story) in enumerate(stories)
        for segment, task, question in placed_of_story
    )
    of_story, after, tasks, texts, answers = zip(*n_asked, strict=True)
    ids = _pad([segment for segments, _ in stories for segment in segments]).unflatten(0, (len(stories), -1))
    return StoryBatch(
        before_ids=ids[:, :n_before],
        story_ids=ids[:, n_before:],
        question_ids=_pad([encoder.text(text) for text in texts]),
        story=torch.tensor(of_story),
        segment=torch.tensor(after),
        answer_ids=torch.tensor([encoder.answer(answer) for answer in answers]),
        n_asked=torch.tensor([float(n) for n in n_asked.values()]),
        tasks=tasks,
    )


def _pad(encoded: Sequence[list[int]]) -> Tensor:
    ids = torch.zeros(len(encoded), max(map(len, encoded), default=1), dtype=torch.long)
    for row, tokens in zip(ids, encoded, strict=True):
        row[: len(tokens)] = torch.tensor(tokens)
    return ids
