"""Several models asked the same question after every sentence of one story, with a baseline and the truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.babi.known_facts import last_mentioned
from lm2core.babi.world import HOME, TOWN
from lm2core.errors import UserError
from lm2viz.figures.answer_grid import answer_grid

LAST_MENTIONED, TRUTH = "baseline: last place named", "ground truth"


@dataclass(frozen=True, slots=True)
class AnswersByStep:
    """What every model answers after 0, 1, ... and all sentences of one story. A single story: no interval.

    answers : by model, the answer and its probability in [0, 1] at every step
    floor : the place named last, at every step; None before the first one, and if no right answer is a place
    truth : the right answer at every step; None where it is not known
    """

    question: str
    answers: dict[str, tuple[tuple[str, float], ...]]
    floor: tuple[str | None, ...]
    truth: tuple[str | None, ...]

    @property
    def n_known(self) -> int:
        """Number of steps at which the right answer is known."""
        return sum(value is not None for value in self.truth)

    def n_right(self, words: Sequence[str | None]) -> int:
        """Number of these steps at which ``words`` are right."""
        return sum(right is not None and word == right for word, right in zip(words, self.truth, strict=True))

    def rows(self) -> dict[str, list[str | None]]:
        """The answers of every model, of the baseline and the right ones, by name."""
        answers: dict[str, list[str | None]] = {
            name: [word for word, _ in steps] for name, steps in self.answers.items()
        }
        floor = {LAST_MENTIONED: list(self.floor)} if any(self.floor) else {}
        return answers | floor | {TRUTH: list(self.truth)}

    def summary(self) -> str:
        """How often each model, and the baseline, is right."""
        if not self.n_known:
            return f"{self.question} The right answer is not known for this story."
        counts = [f"{name} {self.n_right(words)}" for name, words in self.rows().items() if name != TRUTH]
        return f"{self.question} Right answers after {self.n_known} sentences: {', '.join(counts)}."

    def table(self) -> pd.DataFrame:
        """One row per step and model."""
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
        """A row per model, a column per step: the answer, its probability, and whether it is right."""
        rows = self.rows()
        probabilities = np.full((len(rows), len(self.truth)), np.nan)
        for i, steps in enumerate(self.answers.values()):
            probabilities[i] = [probability for _, probability in steps]
        is_right = [
            [
                None if right is None or word is None or name == TRUTH else word == right
                for word, right in zip(words, self.truth, strict=True)
            ]
            for name, words in rows.items()
        ]
        return answer_grid(probabilities, [*rows.values()], is_right, names=[*rows])


def answers_over_story(
    question: str,
    sentences: Sequence[str],
    answers: Mapping[str, Sequence[tuple[str, float]]],
    truth: Sequence[str | None],
) -> AnswersByStep:
    """Combine the answers to ``question`` with the right ones and the baseline.

    answers : by model, from ``lm2core.reading.answers.answers_along``
    truth : the right answer after 0, 1, ... and all sentences; None where it is not known

    Raises
    ------
    UserError
        When the number of answers, or of right answers, is not one more than that of sentences.
    """
    n_steps = len(sentences) + 1
    wrong = [len(steps) for steps in (truth, *answers.values()) if len(steps) != n_steps]
    if wrong:
        raise UserError(
            f"got {wrong[0]} answers for {len(sentences)} sentences; give one more than sentences, None for "
            "a right answer that is not known"
        )
    places = {*HOME.places, *TOWN.places}
    named = (last_mentioned(sentences[:n], places) for n in range(n_steps))
    floor = tuple(named) if places & set(truth) else (None,) * n_steps
    return AnswersByStep(question, {name: tuple(of) for name, of in answers.items()}, floor, tuple(truth))
