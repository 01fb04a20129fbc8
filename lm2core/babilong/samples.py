"""Long samples: the facts of one bAbI question, in order, among background text up to a given length.

Source: Kuratov et al. 2024, arXiv:2406.10149. As in their generator, some tokens are reserved for a prompt,
places of facts are drawn with replacement, and the last background sentence is cut. Differs: a story whose
facts do not fit gives no sample; background text that reaches its end continues from its beginning, but no
sentence occurs twice; lengths are in tokens of any tokenizer, not only GPT-2's; one question is taken from
each generated story, so that samples are independent.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import count, islice
from random import Random

from lm2core.babi.story import Story
from lm2core.babi.tasks import make_story
from lm2core.babi.text import TextStory
from lm2core.babilong.excerpts import Background, Excerpt
from lm2core.errors import UserError

PROMPT_TOKENS = 300  # of the nominal length, reserved for a prompt
TOKENS_A_ROW = 8  # a sample may have one row (fact or question) per this many tokens of its nominal length
MOST_TRIES = 20  # stories tried per sample
_LENGTH = re.compile(r"(\d{1,6})([kM])")


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of a sample; ``fact`` is the index of its statement, None for background."""

    text: str
    fact: int | None = None


@dataclass(frozen=True, slots=True)
class BabiLongSample:
    """A question about facts in a long text.

    task, length : such as "qa1", and a nominal length such as "4k"
    pieces : the text, sentence by sentence; generated at each iteration, never held as a whole
    facts : the story's sentences in it; empty if they are not known
    n_tokens : of all pieces, each tokenized by itself; None if they were not counted
    index : of its story; stories missing between two samples did not fit
    """

    task: str
    length: str
    question: str
    answer: str
    pieces: Iterable[Piece]
    facts: tuple[str, ...] = ()
    n_tokens: int | None = None
    index: int = 0


@dataclass(frozen=True, slots=True)
class FactsInBackground:
    """Facts among background: fact ``i`` comes before background sentence ``places[i]``; places ascend."""

    facts: tuple[str, ...]
    places: tuple[int, ...]
    background: Excerpt

    def __iter__(self) -> Iterator[Piece]:
        n_placed = 0
        for place, sentence in enumerate(self.background):
            while n_placed < len(self.facts) and self.places[n_placed] == place:
                yield Piece(self.facts[n_placed], n_placed)
                n_placed += 1
            yield Piece(sentence)
        for i in range(n_placed, len(self.facts)):
            yield Piece(self.facts[i], i)


def parse_length(length: str) -> int:
    """Tokens of a nominal length: 0 for "0k", 4,000 for "4k", 1,000,000 for "1M"; else a UserError."""
    match = _LENGTH.fullmatch(length)
    if match is None:
        raise UserError(
            f"length {length!r} is not a number with k or M; give e.g. 0k (facts alone), 4k, 128k or 1M"
        )
    return int(match[1]) * {"k": 1_000, "M": 1_000_000}[match[2]]


def generated_stories(task: str, seed: int) -> Iterator[TextStory]:
    """Generate endless stories, each cut at one of its questions; they are the same for every length."""
    for index in count():
        rng = Random(f"babilong {seed} {task} {index}")
        questions_of_story = list(split_by_question([make_story(task, rng)]))
        if questions_of_story:
            yield rng.choice(questions_of_story)  # one per story: samples must be independent


def split_by_question(stories: Iterable[Story | TextStory]) -> Iterator[TextStory]:
    """One story per question, with the sentences before it, in order."""
    for story in stories:
        for question in story.questions:
            yield TextStory(story.sentences[: question.n_statements], (question,), story.gap)


def make_samples(
    stories: Iterable[TextStory], background: Background, *, task: str, length: str, n: int, seed: int
) -> list[BabiLongSample]:
    """Make samples of the first ``n`` stories that fit into ``length``.

    Parameters
    ----------
    stories : each with one question at its end, as from ``generated_stories`` or ``split_by_question``
    background : the text they are hidden in; it also counts tokens
    task, length : a task's name and a nominal length
    n : number of samples; there are fewer if ``stories`` ends
    seed : of start and places; those of story ``i`` do not depend on ``n``

    Raises
    ------
    UserError
        For a malformed length, background that is too short, and a length that is too short for the stories.
    """
    nominal = parse_length(length)
    samples: list[BabiLongSample] = []
    n_seen = 0
    for story in islice(stories, MOST_TRIES * n):
        n_facts, n_rows = background.count(story.sentences), len(story.sentences) + 1
        n_noise = nominal - PROMPT_TOKENS - n_facts if nominal else 0
        if n_noise >= 0 and (not nominal or n_rows <= nominal / TOKENS_A_ROW):
            rng = Random(f"hidden {seed} {task} {length} {n_seen}")
            start = rng.randrange(max(1, background.n_sentences))
            excerpt = background.excerpt(start, n_noise)
            places = sorted(rng.randrange(excerpt.n_sentences + 1) for _ in story.sentences)
            hidden = FactsInBackground(story.sentences, tuple(places), excerpt)
            (question,) = story.questions
            content = (hidden, story.sentences, n_facts + n_noise, n_seen)
            samples.append(BabiLongSample(task, length, question.text, question.answer, *content))
        n_seen += 1
        if len(samples) == n:
            return samples
    if not samples or n_seen == MOST_TRIES * n:
        raise UserError(
            f"{length} is too short for {task}: only {len(samples)} of {n_seen:,} stories fit into "
            f"{nominal - PROMPT_TOKENS:,} tokens and {nominal // TOKENS_A_ROW:,} lines; give a longer length"
        )
    return samples
