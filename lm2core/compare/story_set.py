"""Stories that every model of a comparison is asked about; their length is counted in sentences.

A set is drawn from its own description, and so it is the same for every model and seed. What a comparison
needs of a set is ``length``, ``n_stories`` and ``score``; sets that count in other units can stand beside it.
"""

from dataclasses import asdict, dataclass, replace
from itertools import chain, islice
from random import Random
from typing import Any, ClassVar

from lm2core.babi.people import ACTING
from lm2core.babi.story import Line, Question
from lm2core.babi.tasks import TASKS, draw_question, get_task
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.evaluation.stories import predict, score
from lm2core.reading.loaded_model import LoadedModel


@dataclass(frozen=True, slots=True, kw_only=True)
class StorySet:
    """Stories with one question each, asked at their end.

    n_told : sentences as the task tells them; the question is about one of the last of them, as in the
        published files (for qa1 one of the last five)
    n_noise : sentences after these that bear on nothing asked: moves of people whom the supporting sentences
        do not name. The fact that answers is so many sentences older.
    """

    task: str
    n_told: int
    n_noise: int = 0
    n_stories: int = 200
    unit: ClassVar[str] = "sentences"

    def __post_init__(self) -> None:
        get_task(self.task)
        if self.n_noise and self.task not in ACTING:
            raise UserError(f"no noise for {self.task}; tasks with people who move: {', '.join(ACTING)}")

    @property
    def length(self) -> int:
        """Sentences before the question."""
        return self.n_told + self.n_noise

    def stories(self) -> list[TextStory]:
        """The stories; always the same ones."""
        rng = Random(f"compare {self.task} {self.n_told} {self.n_noise}")
        return [self._story(rng) for _ in range(self.n_stories)]

    def score(self, lm: LoadedModel, n_stories: int | None = None) -> dict[str, Any]:
        """The ``evaluate.Score`` of ``reader`` on all or the first ``n_stories``, and which set it is of."""
        stories = self.stories()[:n_stories]
        about = {"task": self.task, "unit": self.unit, "length": self.length, "noise": self.n_noise}
        return about | asdict(score(stories, predict(lm, stories)))

    def _story(self, rng: Random) -> TextStory:
        """One story; a start that allows no question is drawn again."""
        while True:
            lines = chain.from_iterable(TASKS[self.task].draw(rng))
            story_lines = list(islice(lines, self.n_told))
            if len(story_lines) < self.n_told:
                raise UserError(
                    f"a story of {self.task} ends after {len(story_lines)} sentences; ask for at most so many"
                )
            question = draw_question(TASKS[self.task], [line.statement for line in story_lines], rng)
            if question is None:
                continue
            noise = moves_of_others(lines, story_lines, question)
            sentences = (line.sentence for line in (*story_lines, *islice(noise, self.n_noise)))
            return TextStory(tuple(sentences), (replace(question, n_statements=self.length),))


def moves_of_others(lines: "chain[Line]", story_lines: list[Line], question: Question) -> "filter[Line]":
    """Of the story that goes on, the moves of people whom the support of ``question`` does not name."""
    support = [story_lines[i].statement for i in question.support]
    named = {name for statement in support for name in (statement.subject, statement.other)}
    return filter(lambda x: x.statement.relation == "move" and x.statement.subject not in named, lines)
