"""Tasks 9 and 10: people whose place is said, denied, or said to be one of two.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Everybody goes to a new place at every
sentence about him, also when the sentence does not name it.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from lm2core.babi.story import Ask, Line, Question, Statement, choose_other, last_index, yes_or_no
from lm2core.babi.world import VERBS, Cast

NOT_IN, EITHER = "not in", "either"
_FORMS = {
    "move": tuple(f"{verb} the {{place}}" for verb in VERBS["move"]),
    "in": ("is in the {place}",),
    NOT_IN: ("is not in the {place}", "is no longer in the {place}"),
    EITHER: ("is either in the {place} or the {other}",),
}


def story_maker(cast: Cast, hedge: str) -> Callable[[Random], Iterator[Sequence[Line]]]:
    """Stories without end, two sentences at a time, of which a quarter are a ``hedge``: not in, or either."""

    def tell(rng: Random) -> Iterator[Sequence[Line]]:
        place_of = {actor: rng.choice(cast.places) for actor in cast.actors}
        while True:
            yield [_next_line(rng, cast, place_of, hedge) for _ in range(2)]

    return tell


def _next_line(rng: Random, cast: Cast, place_of: dict[str, str], hedge: str) -> Line:
    """Send somebody to a new place in ``place_of`` and say something about it."""
    actor = rng.choice(cast.actors)
    old, new = place_of[actor], choose_other(rng, cast.places, than=place_of[actor])
    place_of[actor] = new
    relation = rng.choice(("move", "move", "in", hedge))
    statement = Statement(actor, relation, old if relation == NOT_IN else new)
    if relation == EITHER:
        both = [new, rng.choice(cast.places)]  # the same place twice is possible
        rng.shuffle(both)
        statement = Statement(actor, EITHER, *both)
    form = rng.choice(_FORMS[relation])
    sentence = f"{actor} {form.format(place=statement.target, other=statement.other)}."
    return Line(statement, sentence, {f"place of {name}": place for name, place in place_of.items()})


def question_maker(cast: Cast) -> Ask:
    """Is the actor of statement ``i`` in a place that is named? What he is not in is asked as it was said."""

    def ask(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
        actor = history[i].subject
        last = last_index(history, len(history), lambda s: s.subject == actor)
        assert last is not None
        stated = history[last]
        if stated.relation == NOT_IN:
            named = stated.target
        else:
            true = rng.choice((stated.target, stated.other)) if stated.relation == EITHER else stated.target
            named = yes_or_no(rng, true, cast.places)
        return Question(f"Is {actor} in the {named}?", _answer(stated, named), (last,), len(history))

    return ask


def _answer(stated: Statement, place: str) -> str:
    if place not in (stated.target, stated.other) or stated.relation == NOT_IN:
        return "no"
    return "maybe" if stated.relation == EITHER else "yes"
