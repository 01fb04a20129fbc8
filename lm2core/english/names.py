"""Who is named in a text: to suggest questions about stories in words of a user's own."""

import re
from collections.abc import Sequence

from lm2core.english.words import PEOPLE

_KNOWN = frozenset(PEOPLE)
_NAME = re.compile(r"[A-Z][a-z'-]+")


def people_named(sentences: Sequence[str]) -> list[str]:
    """Names in order of first mention: known first names, and capitalised words that begin no sentence."""
    found = (
        match[0]
        for sentence in sentences
        for match in _NAME.finditer(sentence)
        if match[0] in _KNOWN or sentence[: match.start()].strip()
    )
    return list(dict.fromkeys(found))
