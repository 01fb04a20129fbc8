"""The story on a page: its sentences around a step, and its questions."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lm2core.babi.known_facts import KnownFacts, parse_facts
from lm2core.babi.story import Question
from lm2core.english.names import people_named
from lm2viz.stage.page import suggested_questions

LINES_BEFORE, LINES_AFTER = 9, 5  # sentences shown around the one just read


def subject_of(question: str) -> str:
    """Whose place a question asks for, as it is written; empty for another question."""
    asked = re.fullmatch(r"where is (?:the )?(\w+)\??", question.strip(), re.IGNORECASE)
    return asked[1] if asked else ""


def is_named(subject: str, sentences: Sequence[str]) -> bool:
    """Whether a sentence has this word."""
    return any(subject.lower() in re.findall(r"\w+", sentence.lower()) for sentence in sentences)


@dataclass(frozen=True)
class ShownStory:
    """A story on the page; ``questions`` is empty for a pasted one.

    task, facts : the task whose probes know such facts, and what is known after each sentence; empty where
        a sentence belongs to no task
    """

    sentences: tuple[str, ...]
    questions: tuple[Question, ...] = ()
    task: str = ""
    facts: Sequence[KnownFacts] = ()

    def lines_around(self, step: int) -> list[str]:
        """The sentences near ``step``, marked as read, just read or not yet read; all of a short story."""
        first, last = 0, len(self.sentences)
        if last > LINES_BEFORE + LINES_AFTER:
            first = max(0, min(step, last - LINES_AFTER) - LINES_BEFORE)
            last = first + LINES_BEFORE + LINES_AFTER
        lines = [f"… {first} before"] if first else []
        for number in range(first + 1, last + 1):
            mark = "▶" if number == step else "✓" if number < step else "·"
            lines.append(f"{mark} {number}  {self.sentences[number - 1]}")
        n_after = len(self.sentences) - last
        return lines + ([f"… {n_after} more"] if n_after else [])

    def suggestion(self, step: int) -> Question | None:
        """The last question of the story that is asked at or before ``step``."""
        asked = [q for q in self.questions if q.n_statements <= step]
        return asked[-1] if asked else None

    def question_at(self, step: int) -> str | None:
        """What to ask by default: the story's question, or where somebody is who was mentioned.

        None before anybody's place was told, or in other words than bAbI's, before anybody was named.
        """
        suggested = self.suggestion(step)
        if suggested:
            return suggested.text
        read = self.sentences[:step]
        known = parse_facts(read)
        is_told = people_named(read) if known is None else known and known[-1]
        return suggested_questions(read)[0] if is_told else None

    def unnamed(self, question: str, step: int) -> str:
        """Whose place is asked though no sentence up to ``step`` names them; empty where one does."""
        subject = subject_of(question)
        return "" if not subject or is_named(subject, self.sentences[:step]) else subject

    def story_question(self, step: int, text: str) -> Question | None:
        """The question of the story with this text asked right after ``step``, with its answer."""
        return next((q for q in self.questions if q.n_statements == step and q.text == text), None)
