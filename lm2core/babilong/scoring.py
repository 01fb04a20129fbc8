"""Is an answer right? Exact match of its words, or the published label sets, also as whole words.

Source: Kuratov et al. 2024, arXiv:2406.10149, the metric of their leaderboard. It finds labels inside words:
in task 7 "none" also names the label "one", so that answer is never right.
"""

import re
from collections.abc import Callable
from types import MappingProxyType

from lm2core.babi.world import GIVERS, HOME, OBJECTS, TOWN

_YES_NO = ("yes", "no")
# The possible answers of a task; lists by their parts.
LABELS = MappingProxyType(
    {
        **dict.fromkeys(("qa1", "qa2", "qa3", "qa4", "qa11", "qa12", "qa13"), HOME.places),
        **dict.fromkeys(("qa6", "qa9", "qa17", "qa18"), _YES_NO),
        "qa5": (*GIVERS.actors, *OBJECTS),
        "qa7": ("none", "one", "two", "three"),
        "qa8": ("nothing", *OBJECTS),
        "qa10": (*_YES_NO, "maybe"),
        "qa14": TOWN.places,
        "qa15": ("cat", "mouse", "sheep", "wolf"),
        "qa16": ("gray", "green", "white", "yellow"),
        "qa19": ("n,n", "n,e", "n,w", "s,s", "s,e", "s,w", "e,e", "e,n", "e,s", "w,w", "w,n", "w,s"),
        "qa20": ("hungry", "thirsty", "bored", "tired", "kitchen", "garden", "bedroom"),
    }
)
_END = re.compile(r"[.\n]|<context>|<example>")  # of an answer; text after it does not count
_WORD = re.compile(r"\w+")

Find = Callable[[str, str], bool]  # whether a label occurs in a text, both in lower case


def answer_words(text: str) -> tuple[str, ...]:
    """The words of an answer in lower case, up to its first full stop or line break."""
    return tuple(_WORD.findall(_normalised_text(text.lstrip())))


def as_word(label: str, text: str) -> bool:
    """Whether ``label`` occurs in ``text`` as a whole word."""
    return re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) is not None


def as_part(label: str, text: str) -> bool:
    """Whether ``label`` occurs anywhere in ``text``, as in the published metric."""
    return label in text


def names_label(answer: str, target: str, question: str, task: str, *, find: Find) -> bool:
    """Whether an answer names the target (or all parts of a list) and no other label of the task.

    Labels that occur in the question do not count.

    Parameters
    ----------
    find : ``as_part``, as published, or ``as_word``
    """
    labels = {label.lower() for label in LABELS[task]}
    answer_text, question, target = _normalised_text(answer.lstrip()), question.lower(), target.lower()
    expected = {target} if target in labels else set(target.split(","))
    return {label for label in labels if find(label, answer_text) and not find(label, question)} == expected


def _normalised_text(text: str) -> str:
    return _END.split(text.lower(), maxsplit=1)[0]
