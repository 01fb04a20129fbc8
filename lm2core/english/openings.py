"""Questions as a language model is asked: with the beginning of the answer, which it continues."""

import re
from collections.abc import Iterator

from lm2core.english.phrasings import QUESTIONS
from lm2core.english.words import PLACES
from lm2core.errors import UserError

_FIELDS = {name: rf"(?P<{name}>[\w'-]+)" for name in ("person", "place", "thing", "other")}
_FIELDS["at"] = f"(?P<at>{'|'.join(PLACES)})"
USUAL = "in"  # the preposition of a place that the question does not name


def _forms() -> Iterator[tuple[re.Pattern[str], str]]:
    for phrasings in QUESTIONS.values():
        for question, opening in phrasings:
            pattern = re.escape(question.removesuffix("?")).replace(r"\{", "{").replace(r"\}", "}")
            yield re.compile(pattern.format(**_FIELDS) + r"\s*\??", re.IGNORECASE), opening


_FORMS = tuple(_forms())


def opening_of(question: str) -> str | None:
    """How the answer to a question begins; None for one in none of the forms of phrasings.py.

    Capital letters and the question mark do not matter. Where the answer is a place, it begins with "in the".
    """
    for pattern, opening in _FORMS:
        if named := pattern.fullmatch(question.strip()):
            return opening.format(**({"at": USUAL} | named.groupdict()))
    return None


def as_prompt(text: str) -> str:
    """What a language model continues with its answer: a question and its opening, or other text as it is.

    Raises
    ------
    UserError
        For an empty text, and for a question of no known form.
    """
    asked = text.strip()
    if not asked:
        raise UserError("the question is empty; ask for example: Where is Mary?")
    opening = opening_of(asked)
    if opening is not None:
        return f"{asked.removesuffix('?').rstrip()}? {opening}"
    if asked.endswith("?"):
        raise UserError(
            f"no beginning of an answer to {asked!r} is known; write one behind the question, which "
            'the model then continues, for example: "Where is Mary? Mary is in the"'
        )
    return asked
