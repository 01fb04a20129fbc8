"""How many samples of one list of stories stand word for word in another.

A sample is a question with all sentences before it. Tasks 4, 17 and 20 have few that differ, so stories made
for a test are partly stories of training, too.
"""

from collections.abc import Iterator, Sequence

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory

Example = tuple[tuple[str, ...], str]


def count_duplicates(stories: Sequence[Story | TextStory], others: Sequence[Story | TextStory]) -> int:
    """How many samples of ``stories`` are samples of ``others``."""
    known = set(_samples(others))
    return sum(sample in known for sample in _samples(stories))


def _samples(stories: Sequence[Story | TextStory]) -> Iterator[Example]:
    for story in stories:
        for question in story.questions:
            yield story.sentences[: question.n_statements], question.text
