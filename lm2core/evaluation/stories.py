"""Exact-match accuracy on stories, with an interval and floors that need no model."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from lm2core.babi.known_facts import last_mentioned
from lm2core.babi.tasks import Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.evaluation.intervals import wilson_interval
from lm2core.reading.given_words import encode_questions, greedy_answers, questions_at_once, story_question
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import check_words, encode_segments

BATCH_STORIES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Accuracy of ``n`` answers; all values are fractions in [0, 1].

    low, high : 95 % Wilson interval of the accuracy
    majority : accuracy of always giving the most common answer to these questions
    last_mentioned : accuracy of always giving the answer word that occurs last before the question
    """

    n: int
    accuracy: float
    low: float
    high: float
    majority: float
    last_mentioned: float


def predict(lm: LoadedModel, stories: Sequence[Story | TextStory]) -> list[list[str]]:
    """The model's one-word answer to every question of every story."""
    texts = [*(s for story in stories for s in story.sentences)]
    texts += [story_question(lm, q.text) for story in stories for q in story.questions]
    check_words(lm.tokenizer, sorted(set(texts)))
    answers: list[list[str]] = [[] for _ in stories]
    by_length = sorted(range(len(stories)), key=lambda i: len(stories[i].sentences))
    for start in range(0, len(by_length), BATCH_STORIES):
        chosen = by_length[start : start + BATCH_STORIES]
        for i, words in zip(chosen, _predict_batch(lm, [stories[i] for i in chosen]), strict=True):
            answers[i] = words
    return answers


@torch.no_grad()
def _predict_batch(lm: LoadedModel, stories: Sequence[Story | TextStory]) -> list[list[str]]:
    model = lm.model.eval()
    device = model.device
    # An empty first sentence leaves a fresh memory, for questions before any statement.
    segments = encode_segments(lm.tokenizer, [("", *story.sentences) for story in stories])
    output = model(*(x.to(device) for x in segments), logits_to_keep=1)
    story_questions = [(b, q) for b, story in enumerate(stories) for q in story.questions]
    answers: list[list[str]] = [[] for _ in stories]
    if not story_questions:
        return answers
    ids, mask = encode_questions(lm, [q.text for _, q in story_questions])
    story = torch.tensor([b for b, _ in story_questions], device=device)
    after = torch.tensor([q.n_statements for _, q in story_questions], device=device)
    for rows in torch.arange(len(story_questions)).split(questions_at_once(lm, ids.shape[1])):
        memory = output.memory_at(story[rows], after[rows])
        for i, (word, _) in zip(
            rows.tolist(), greedy_answers(lm, ids[rows], mask[rows], memory), strict=True
        ):
            answers[story_questions[i][0]].append(word)
    return answers


def score(stories: Sequence[Story | TextStory], answers: Sequence[Sequence[str]]) -> Score:
    """Compare answers with those of the stories, as whole words, ignoring case."""
    story_questions = [(story, q) for story in stories for q in story.questions]
    given = [word for words in answers for word in words]
    if not story_questions or len(given) != len(story_questions):
        raise UserError(
            f"{len(given)} answers for {len(story_questions)} questions; give one answer per question, "
            "and at least one question"
        )
    truth = [q.answer.lower() for _, q in story_questions]
    n, labels = len(story_questions), set(truth)
    n_right = sum(a.lower() == b for a, b in zip(given, truth, strict=True))
    last = [last_mentioned(story.sentences[: q.n_statements], labels) for story, q in story_questions]
    low, high = wilson_interval(n_right, n)
    return Score(
        n=n,
        accuracy=n_right / n,
        low=low,
        high=high,
        majority=Counter(truth).most_common(1)[0][1] / n,
        last_mentioned=sum(a == b for a, b in zip(last, truth, strict=True)) / n,
    )
