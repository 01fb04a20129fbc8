"""Tasks 9 and 10: people whose place is stated, denied, or stated to be one of two.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. People move to a new place at every
sentence about them, even if the sentence does not name it.
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
    """Draw endless stories in blocks of two sentences; a quarter are the ``hedge``, NOT_IN or EITHER."""

    def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
        place_of = {actor: rng.choice(cast.places) for actor in cast.actors}
        while True:
            yield [_next_line(rng, cast, place_of, hedge) for _ in range(2)]

    return draw_lines


def _next_line(rng: Random, cast: Cast, place_of: dict[str, str], hedge: str) -> Line:
    """Move somebody to a new place, in ``place_of``, and make a sentence about it."""
    actor = rng.choice(cast.actors)
    old, new = place_of[actor], choose_other(rng, cast.places, than=place_of[actor])
    place_of[actor] = new
    relation = rng.choice(("move", "move", "in", hedge))
    statement = Statement(actor, relation, old if relation == NOT_IN else new)
    if relation == EITHER:
        both = [new, rng.choice(cast.places)]  # possibly the same place twice, as in the published files
        rng.shuffle(both)
        statement = Statement(actor, EITHER, *both)
    form = rng.choice(_FORMS[relation])
    sentence = f"{actor} {form.format(place=statement.target, other=statement.other)}."
    return Line(statement, sentence, {f"place of {name}": place for name, place in place_of.items()})


def question_maker(cast: Cast) -> Ask:
    """Whether the actor of statement ``i`` is in a named place; after a denial, in the place it denies."""

    def ask(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
        actor = history[i].subject
        last = last_index(history, len(history), lambda s: s.subject == actor)
        assert last is not None
        statement = history[last]
        if statement.relation == NOT_IN:
            named = statement.target
        else:
            true = (
                rng.choice((statement.target, statement.other))
                if statement.relation == EITHER
                else statement.target
            )
            named = yes_or_no(rng, true, cast.places)
        return Question(f"Is {actor} in the {named}?", _answer(statement, named), (last,), len(history))

    return ask


def _answer(statement: Statement, place: str) -> str:
    if place not in (statement.target, statement.other) or statement.relation == NOT_IN:
        return "no"
    return "maybe" if statement.relation == EITHER else "yes"
