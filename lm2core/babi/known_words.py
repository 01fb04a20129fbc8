"""The words of a vocabulary that a story can be written with, by kind, and a sentence made of them."""

from collections.abc import Iterable

from lm2core.babi.world import GIVERS, HOME, OBJECTS, TOWN, VERBS

CASTS = (HOME, GIVERS, TOWN)


def words_by_kind(vocabulary: Iterable[str]) -> str:
    """People, places, things and verbs among lower-case words, and an example sentence.

    Empty without people or places. A verb of several words is known where each of them is.
    """
    known = set(vocabulary)
    people, places, things, verbs = (
        [name for name in dict.fromkeys(names) if set(name.lower().split()) <= known]
        for names in (
            (name for cast in CASTS for name in cast.actors),
            (name for cast in CASTS for name in cast.places),
            OBJECTS,
            (verb for kind in VERBS.values() for verb in kind),
        )
    )
    moves = [verb for verb in VERBS["move"] if verb in verbs]
    if not (people and places and moves):
        return ""
    lists = {"people": people, "places": places, "things": things, "verbs": verbs}
    listed = "; ".join(f"{kind} {', '.join(words)}" for kind, words in lists.items() if words)
    return f"{listed}. For example: {people[0]} {moves[0]} the {places[0]}."
