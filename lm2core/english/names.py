"""Who is named in a text: to suggest questions about stories in words of a user's own."""

import re
from calendar import day_name, month_name
from collections.abc import Sequence

from lm2core.english.words import PEOPLE

_KNOWN = frozenset(PEOPLE)
_NAME = re.compile(r"\b[^\W\d_]+(?:['\u2019-][^\W\d_]{2,})*")  # without the 's of a possessive
_TIMES = frozenset((*day_name, *month_name))


def people_named(sentences: Sequence[str]) -> list[str]:
    """Names in order of first mention: known first names, and capitalised words that begin no sentence."""
    found = (
        match[0]
        for sentence in sentences
        for match in _NAME.finditer(sentence)
        if match[0] in _KNOWN or (_is_name(match[0]) and sentence[: match.start()].strip())
    )
    return list(dict.fromkeys(found))


def _is_name(word: str) -> bool:
    return len(word) > 1 and word[0].isupper() and word not in _TIMES
