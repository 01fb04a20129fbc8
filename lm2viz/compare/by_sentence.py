"""Several models asked the same question after every sentence of one story, beside what needs no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.babi.known_facts import last_mentioned
from lm2core.babi.world import HOME, TOWN
from lm2core.errors import UserError
from lm2viz.figures.answer_grid import answer_grid

LAST_MENTIONED, TRUTH = "floor: last place named", "what the story says"


@dataclass(frozen=True, slots=True)
class AnswersByStep:
    """What every model answers after 0, 1, ... and all sentences of one story. One story: no interval.

    answers : by model, the answer and its probability in [0, 1] at every step
    floor : the place that was named last, at every step; None before there is one, and where no right
        answer is a place
    truth : what the story says at every step; None where it says nothing
    """

    question: str
    answers: dict[str, tuple[tuple[str, float], ...]]
    floor: tuple[str | None, ...]
    truth: tuple[str | None, ...]

    @property
    def n_known(self) -> int:
        """Steps at which the story says what is right."""
        return sum(value is not None for value in self.truth)

    def n_right(self, words: Sequence[str | None]) -> int:
        """At how many of these steps ``words`` are right."""
        return sum(right is not None and word == right for word, right in zip(words, self.truth, strict=True))

    def rows(self) -> dict[str, list[str | None]]:
        """The words of every model, of the floor and of the story itself, by name."""
        given: dict[str, list[str | None]] = {
            name: [word for word, _ in steps] for name, steps in self.answers.items()
        }
        floor = {LAST_MENTIONED: list(self.floor)} if any(self.floor) else {}
        return given | floor | {TRUTH: list(self.truth)}

    def summary(self) -> str:
        """How often each is right, the floor beside the models."""
        if not self.n_known:
            return f"{self.question} What is right is not known of this story."
        counts = [f"{name} {self.n_right(words)}" for name, words in self.rows().items() if name != TRUTH]
        return f"{self.question} Right after how many of {self.n_known} sentences: {', '.join(counts)}."

    def table(self) -> pd.DataFrame:
        """One row a step and model."""
        return pd.DataFrame(
            {
                "model": name,
                "n_sentences": n,
                "answer": word,
                "probability": probability,
                "right_answer": self.truth[n],
                "last_mentioned": self.floor[n],
            }
            for name, steps in self.answers.items()
            for n, (word, probability) in enumerate(steps)
        )

    def figure(self) -> go.Figure:
        """A row a model, a column a step: the answer, how sure, and whether it is right."""
        rows = self.rows()
        sure = np.full((len(rows), len(self.truth)), np.nan)
        for i, steps in enumerate(self.answers.values()):
            sure[i] = [probability for _, probability in steps]
        is_right = [
            [
                None if right is None or word is None or name == TRUTH else word == right
                for word, right in zip(words, self.truth, strict=True)
            ]
            for name, words in rows.items()
        ]
        return answer_grid(sure, [*rows.values()], is_right, names=[*rows])


def answers_over_story(
    question: str,
    sentences: Sequence[str],
    answers: Mapping[str, Sequence[tuple[str, float]]],
    truth: Sequence[str | None],
) -> AnswersByStep:
    """Put answers to ``question`` beside what is right and beside the floor.

    answers : by model, as ``lm2core.reading.answers.answers_along`` gives them
    truth : the right answer after 0, 1, ... and all sentences, None where it is not known

    Raises
    ------
    UserError
        For another number of answers or right answers.
    """
    n_steps = len(sentences) + 1
    wrong = [len(steps) for steps in (truth, *answers.values()) if len(steps) != n_steps]
    if wrong:
        raise UserError(
            f"{wrong[0]} answers for {len(sentences)} sentences; give one more than sentences, for a right "
            "one that is not known None"
        )
    places = {*HOME.places, *TOWN.places}
    named = (last_mentioned(sentences[:n], places) for n in range(n_steps))
    floor = tuple(named) if places & set(truth) else (None,) * n_steps
    return AnswersByStep(question, {name: tuple(of) for name, of in answers.items()}, floor, tuple(truth))
