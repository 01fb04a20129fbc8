"""The known facts of English stories as a table of labels, in the format of ``--labels``."""

import csv
import io
from collections.abc import Iterator, Sequence

from lm2core.babi.known_facts import KnownFacts
from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.english.stories import EnglishStory

COLUMNS = ("story", "segment", "fact", "value")


def facts_table(stories: Sequence[EnglishStory], told: Sequence[Story | TextStory]) -> str:
    """A CSV text with a row for every fact known after every sentence of the stories as they are told.

    told : the same stories, with or without the sentences of a book, which change no fact
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for number, (story, whole) in enumerate(zip(stories, told, strict=True)):
        for segment, known in enumerate(_facts_after_each(story, whole.sentences)):
            writer.writerows((number, segment, name, fact.value) for name, fact in sorted(known.items()))
    return text.getvalue()


def _facts_after_each(story: EnglishStory, sentences: Sequence[str]) -> Iterator[KnownFacts]:
    """The facts known after each sentence; the story's own occur among them in their order."""
    facts: list[KnownFacts] = [{}, *story.facts]
    n_own = 0
    for sentence in sentences:
        if n_own < len(story.sentences) and sentence == story.sentences[n_own].text:
            n_own += 1
        yield facts[n_own]
