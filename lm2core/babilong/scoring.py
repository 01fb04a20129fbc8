"""Is an answer right? Exact match of its words, and the published label sets with and without word borders.

Source: Kuratov et al. 2024, arXiv:2406.10149, the metric of their leaderboard. It looks for labels as parts
of words: in task 7 "none" also names the label "one", and so that answer is never right.
"""

import re
from collections.abc import Callable
from types import MappingProxyType

from lm2core.babi.world import GIVERS, HOME, OBJECTS, TOWN

_YES_NO = ("yes", "no")
# What a task's answers are, lists by their parts.
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
_END = re.compile(r"[.\n]|<context>|<example>")  # of an answer; what a model says after it does not count
_WORD = re.compile(r"\w+")

Find = Callable[[str, str], bool]  # is this label in this text? Both are lower case


def answer_words(text: str) -> tuple[str, ...]:
    """The words of an answer, lower case, up to its first full stop or line end."""
    return tuple(_WORD.findall(_normalised_text(text.lstrip())))


def as_word(label: str, text: str) -> bool:
    """Whether ``label`` stands in ``text`` with no letter or digit beside it."""
    return re.search(rf"(?<!\w){re.escape(label)}(?!\w)", text) is not None


def as_part(label: str, text: str) -> bool:
    """Whether ``label`` stands anywhere in ``text``: the published way."""
    return label in text


def names_label(answer: str, target: str, question: str, task: str, *, find: Find) -> bool:
    """Whether, of the task's labels, an answer names just the target (of a list: its parts) and no other.

    Labels that the question names do not count.

    Parameters
    ----------
    find : ``as_part``, as published, or ``as_word``
    """
    labels = {label.lower() for label in LABELS[task]}
    answer_text, story_questions, target = _normalised_text(answer.lstrip()), question.lower(), target.lower()
    expected = {target} if target in labels else set(target.split(","))
    return {
        label for label in labels if find(label, answer_text) and not find(label, story_questions)
    } == expected


def _normalised_text(text: str) -> str:
    return _END.split(text.lower(), maxsplit=1)[0]
