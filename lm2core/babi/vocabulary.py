"""The words of each task, including answers and punctuation.

A list ("apple,milk") or a path ("n,e") is a single word, as in the published files and in every word-level
model of bAbI.
"""

from collections.abc import Iterable, Mapping
from itertools import permutations, product
from types import MappingProxyType

from lm2core.babi.animals import ANIMALS, COLOURS, FRIENDS, PEOPLE, PLURALS
from lm2core.babi.directions import COMPASS, OPPOSITE, SHAPES, SIDES
from lm2core.babi.motives import GOALS
from lm2core.babi.motives import PEOPLE as AGENTS
from lm2core.babi.sizes import BIGGER, BOXES, FITS, SMALL
from lm2core.babi.times import SLOTS
from lm2core.babi.together import CONNECTIVES, PRONOUNS
from lm2core.babi.world import GIVERS, HOME, OBJECTS, TOWN, VERBS, Cast

LISTS = tuple(",".join(things) for n in (2, 3) for things in permutations(OBJECTS, n))
PATHS = tuple(f"{a[0]},{b[0]}" for a, b in product(COMPASS, repeat=2) if b != OPPOSITE[a])


def _phrases(*phrases: str, cast: Cast = HOME, actions: Iterable[str] = ()) -> frozenset[str]:
    verbs = (verb for action in actions for verb in VERBS[action])
    the = ("the",) if cast.places else ()
    texts = (". ?", *the, *phrases, *cast.actors, *cast.places, *verbs)
    return frozenset(word for text in texts for word in text.lower().split())


_HANDLING = ("move", "get", "drop")
_THINGS = ("there", *OBJECTS)
_NOBODY = Cast((), ())
_ROOMS = Cast((), HOME.places)
WORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "qa1": _phrases("where is", actions=("move",)),
        "qa2": _phrases("where is", *_THINGS, actions=_HANDLING),
        "qa3": _phrases("where was before", *_THINGS, actions=_HANDLING),
        "qa4": _phrases("what is of north south east west", cast=_ROOMS),
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
        "qa11": _phrases("where is", *CONNECTIVES, *PRONOUNS.values(), actions=("move",)),
        "qa12": _phrases("where is and", actions=("move",)),
        "qa13": _phrases("where is and they", *CONNECTIVES, actions=("move",)),
        "qa14": _phrases("where was before", *SLOTS, cast=TOWN, actions=("move",)),
        "qa15": _phrases("what is are afraid of a", *PLURALS, *PLURALS.values(), *FRIENDS, cast=_NOBODY),
        "qa16": _phrases("what color is a", *PEOPLE, *ANIMALS, *COLOURS, cast=_NOBODY),
        "qa17": _phrases("is the yes no", *SIDES, *SHAPES, cast=_NOBODY),
        "qa18": _phrases("does the fit in than yes no", FITS, BIGGER, *SMALL, *BOXES, cast=_NOBODY),
        "qa19": _phrases("how do you go from to is", *COMPASS, *PATHS, cast=_ROOMS),
        "qa20": _phrases(
            "why where did will go get is the there to",
            *AGENTS,
            *GOALS,
            *(word for goal in GOALS.values() for word in goal),
            actions=("move", "get"),
            cast=_NOBODY,
        ),
    }
)


def babi_words(tasks: Iterable[str]) -> set[str]:
    """All words of these tasks, in lower case."""
    return set().union(*(WORDS[task] for task in tasks))
