"""The words of each task that models train on, including answers and punctuation.

A list is a single word ("apple,milk"), as in the published files and in every word-level model of bAbI.
"""

from collections.abc import Iterable, Mapping
from itertools import permutations
from types import MappingProxyType

from lm2core.babi.world import GIVERS, HOME, OBJECTS, TOWN, VERBS, Cast

LISTS = tuple(",".join(things) for n in (2, 3) for things in permutations(OBJECTS, n))


def _phrases(*phrases: str, cast: Cast = HOME, actions: Iterable[str] = ()) -> frozenset[str]:
    verbs = (verb for action in actions for verb in VERBS[action])
    texts = (". ?", "the", *phrases, *cast.actors, *cast.places, *verbs)
    return frozenset(word for text in texts for word in text.lower().split())


_HANDLING = ("move", "get", "drop")
_THINGS = ("there", *OBJECTS)
WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "qa1": _phrases("where is", actions=("move",)),
        "qa2": _phrases("where is", *_THINGS, actions=_HANDLING),
        "qa3": _phrases("where was before", *_THINGS, actions=_HANDLING),
        "qa4": _phrases("what is of north south east west", cast=Cast((), HOME.places)),
        "qa5": _phrases(
            "who what gave received did give to", *_THINGS, cast=GIVERS, actions=(*_HANDLING, "give")
        ),
        "qa6": _phrases("is in yes no", *_THINGS, actions=_HANDLING),
        "qa7": _phrases(
            "how many objects is carrying to none one two three", *_THINGS, actions=(*_HANDLING, "give")
        ),
        "qa8": _phrases("what is carrying nothing", *_THINGS, *LISTS, actions=_HANDLING),
        "qa9": _phrases("is in not no longer yes", actions=("move",)),
        "qa10": _phrases("is in either or yes no maybe", cast=TOWN, actions=("move",)),
    }
)


def babi_words(tasks: Iterable[str]) -> set[str]:
    """All words of these tasks, in lower case."""
    return set().union(*(WORDS[task] for task in tasks))
