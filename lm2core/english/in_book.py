"""A story's sentences among those of a book, or of any other text."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from random import Random

from lm2core.babi.story import Question, Story
from lm2core.babi.text import TextStory
from lm2core.babilong.background_text import Noise
from lm2core.errors import UserError


def in_book(story: Story | TextStory, book: Noise, n_sentences: int, rng: Random) -> TextStory:
    """The story with ``n_sentences`` consecutive sentences of the ``book`` around and between its own.

    Places are drawn uniformly, as in BABILong. A question is asked anywhere between the story's sentence
    before it and the next one.

    Raises a UserError when the book has fewer sentences: none is used twice.
    """
    if n_sentences > len(book.sentences):
        raise UserError(
            f"{n_sentences} sentences of {book.source}, whose {book.split} share has "
            f"{len(book.sentences)}; ask for fewer"
        )
    background = list(islice(book.from_anywhere(rng), n_sentences))
    places = sorted(rng.randrange(n_sentences + 1) for _ in story.sentences)
    index = [place + i for i, place in enumerate(places)]  # of each of the story's sentences in the whole
    sentences = list(background)
    for place, text in zip(index, story.sentences, strict=True):
        sentences.insert(place, text)
    ends = [*index, len(sentences)]
    questions = tuple(_placed(question, index, ends, rng) for question in story.questions)
    return TextStory(tuple(sentences), questions, story.gap)


def _placed(question: Question, index: Sequence[int], ends: Sequence[int], rng: Random) -> Question:
    """The question after a sentence of the whole: from its own place on, before the next of the story."""
    n = question.n_statements
    first = index[n - 1] + 1 if n else 0
    support = tuple(index[s] for s in question.support)
    return replace(question, n_statements=rng.randint(first, ends[n]), support=support)
