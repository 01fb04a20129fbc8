"""An English question as a value: what is asked, in which phrasing, and how its answer begins.

Questions are drawn by the rules of lm2core.babi, which word them as bAbI does; here they are worded again.
"""

import re
from dataclasses import dataclass
from typing import Literal

from lm2core.babi.story import Question
from lm2core.english.phrasings import QUESTIONS
from lm2core.english.sentences import PREPOSITION

_PERSON, _OTHER, _THING = r"(?P<person>\w+)", r"(?P<other>\w+)", r"(?P<thing>\w+)"
FORMS = {
    "where-person": rf"Where is {_PERSON}\?",
    "where-thing": rf"Where is the {_THING}\?",
    "who-has": rf"Who has the {_THING}\?",
    "what-given": rf"What did {_PERSON} give to {_OTHER}\?",
    "who-gave": rf"Who gave the {_THING} to {_OTHER}\?",
    "who-received": rf"Who did {_PERSON} give the {_THING} to\?",
    "whether-place": rf"Is {_PERSON} in the (?P<place>\w+)\?",
    "how-many": rf"How many objects is {_PERSON} carrying\?",
}
_PATTERNS = {form: re.compile(pattern) for form, pattern in FORMS.items()}
_ANSWERS = {"none": "zero"}  # "the number of things is zero"


@dataclass(frozen=True, slots=True)
class EnglishQuestion:
    """A question after the first ``n_statements`` sentences of a story.

    form : one of ``FORMS``
    person, place, thing, other : what it names, "" where it does not
    phrasing : index into ``QUESTIONS[form]``
    answer : one word, a place, a thing, a person, yes or no, or zero to three
    support : indices of the sentences that it follows from
    """

    form: str
    phrasing: int
    answer: str
    support: tuple[int, ...]
    n_statements: int
    person: str = ""
    place: str = ""
    thing: str = ""
    other: str = ""

    @property
    def text(self) -> str:
        """The question, with its question mark."""
        return self._worded(0)

    @property
    def opening(self) -> str:
        """How the answer begins: a space and the answer follow."""
        return self._worded(1)

    @property
    def prompt(self) -> str:
        """What a language model continues with the answer: the question and the opening."""
        return f"{self.text} {self.opening}"

    def as_babi(self, *, prompted: bool = False) -> Question:
        """The same as a question of bAbI, whose text is the question, or the whole prompt."""
        text = self.prompt if prompted else self.text
        return Question(text, self.answer, self.support, self.n_statements)

    def _worded(self, part: Literal[0, 1]) -> str:
        return QUESTIONS[self.form][self.phrasing][part].format(
            person=self.person,
            place=self.place,
            thing=self.thing,
            other=self.other,
            at=PREPOSITION.get(self.place or self.answer, ""),
        )


def form_of(text: str) -> str | None:
    """The form of a question in bAbI's words; None if it has none of ``FORMS``."""
    return next((form for form, pattern in _PATTERNS.items() if pattern.fullmatch(text)), None)


def worded(question: Question, phrasing: int) -> EnglishQuestion:
    """A question in bAbI's words as an English question; it must have one of ``FORMS``."""
    form = form_of(question.text)
    assert form is not None, question.text
    named = _PATTERNS[form].fullmatch(question.text)
    assert named is not None
    answer = _ANSWERS.get(question.answer, question.answer)
    return EnglishQuestion(
        form, phrasing, answer, question.support, question.n_statements, **named.groupdict()
    )
