"""A lesson: a question with a few choices, and the measurement that decides between them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np
from numpy.typing import NDArray

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.trace import Trace
from lm2viz.estimates import Estimate
from lm2viz.lessons.charts import Chart
from lm2viz.lessons.live import Live
from lm2viz.sample.story_sample import StorySample

MODEL, TASK = "babi-qa1-10", "qa1"
SEED, N_STORIES = 0, 60


@dataclass(frozen=True, slots=True)
class Choice:
    """A prediction: the measured value lies in [low, high)."""

    text: str
    low: float
    high: float


def measured_on(lm: LoadedModel, stories: str = f"{N_STORIES} generated stories") -> str:
    """Where the numbers of a lesson come from."""
    return f"Measured on {lm.name} and {stories}; brackets: 95 % intervals."


@dataclass(frozen=True, slots=True)
class Measured:
    """A result; ``value`` decides the lesson, ``control`` is shown beside it.

    source : where the numbers come from
    live : where the result can be seen in one story; None: nowhere
    is_share : whether both are fractions, shown in percent
    """

    value: Estimate
    control: Estimate
    of: str
    of_control: str
    chart: Chart
    caption: str
    source: str
    live: Live | None = None
    is_share: bool = True

    def sentence(self) -> str:
        """Both numbers in words, with interval and n."""
        value, control = (self._phrase(estimate) for estimate in (self.value, self.control))
        return f"{self.of}: **{value}**. {self.of_control}: **{control}**."

    def _phrase(self, estimate: Estimate) -> str:
        if self.is_share:
            return estimate.as_share()
        return f"{estimate.value:.1f}" if isnan(estimate.low) else str(estimate)


@dataclass(frozen=True, slots=True)
class Lesson:
    """One idea.

    text : what to know before predicting, as Markdown
    moral : what to remember, whatever was measured
    """

    title: str
    text: str
    question: str
    choices: tuple[Choice, ...]
    measure: Callable[[LoadedModel], Measured]
    moral: str

    def right(self, measured: Measured) -> Choice:
        """The choice whose range contains the measured value.

        Raises
        ------
        UserError
            When none does: the lesson does not fit this model.
        """
        for choice in self.choices:
            if choice.low <= measured.value.value < choice.high:
                return choice
        raise UserError(f"lesson {self.title!r}: no choice contains {measured.value}; correct its ranges")


def lesson_sample(n: int = N_STORIES) -> StorySample:
    """The stories that lessons measure on, the same for all users."""
    return StorySample(TASK, n, SEED)


def each_story(traces: Sequence[Trace]) -> Iterator[tuple[Trace, int]]:
    """Every story of the traces of a sample: its trace, and its number there."""
    for trace in traces:
        for story in range(len(trace.tokens)):
            yield trace, story


def stories_of_questions(stories: Sequence[Story | TextStory]) -> NDArray[np.int_]:
    """Which story each question is about: questions of one story are not independent."""
    return np.repeat(np.arange(len(stories)), [len(story.questions) for story in stories])
