"""How many examples in one list of stories also occur, word for word, in another.

An example is a question with all sentences before it. Tasks 4, 17 and 20 have few distinct ones, so test
stories of these tasks partly repeat training stories.
"""

from collections.abc import Iterator, Sequence

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory

Example = tuple[tuple[str, ...], str]


def count_duplicates(stories: Sequence[Story | TextStory], others: Sequence[Story | TextStory]) -> int:
    """How many examples of ``stories`` are examples of ``others``; repetitions count each time."""
    known = set(_examples(others))
    return sum(example in known for example in _examples(stories))


def _examples(stories: Sequence[Story | TextStory]) -> Iterator[Example]:
    for story in stories:
        for question in story.questions:
            yield story.sentences[: question.n_statements], question.text
