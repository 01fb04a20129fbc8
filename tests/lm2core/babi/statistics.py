"""What a generator must reproduce of the published files, of stories read or made."""

from collections import Counter
from collections.abc import Sequence

from lm2core.babi.sentences import parse
from lm2core.babi.story import Statement, Story
from lm2core.babi.text import TextStory
from lm2core.babi.times import SLOTS

Shares = dict[object, float]  # value -> fraction of all


def statistics(stories: Sequence[Story | TextStory]) -> dict[str, Shares]:
    """Distributions by name.

    length : mean number of sentences in a story, under the only key None
    statements : relations of statements, or times
    answers : of lists, only how long they are
    gaps : sentences between two questions
    ages : sentences after the last that supports the answer
    order : whether the support stands in the order of the story
    """
    counts: dict[str, Counter[object]] = {
        name: Counter() for name in ("statements", "answers", "gaps", "ages", "order")
    }
    for story in stories:
        counts["statements"].update(map(_statement, parse(story.sentences)))
        last = 0
        for question in story.questions:
            counts["answers"][_answer(question.answer)] += 1
            counts["gaps"][question.n_statements - last] += 1
            counts["ages"][question.n_statements - 1 - max(question.support)] += 1
            counts["order"][list(question.support) == sorted(question.support)] += 1
            last = question.n_statements
    length: Shares = {None: sum(len(story.sentences) for story in stories) / len(stories)}
    return {"length": length} | {name: _shares(count) for name, count in counts.items()}


def distance(ours: Shares, real: Shares) -> tuple[float, object]:
    """The largest difference, and where it is."""
    return max((abs(ours.get(k, 0.0) - real.get(k, 0.0)), str(k)) for k in ours | real)


def _statement(statement: Statement) -> str:
    return statement.other if statement.other in SLOTS else statement.relation


def _answer(answer: str) -> str:
    things = answer.split(",")
    return answer if len(things) == 1 or len(things[0]) == 1 else f"{len(things)} things"


def _shares(count: Counter[object]) -> Shares:
    return {value: n / count.total() for value, n in count.items()}
