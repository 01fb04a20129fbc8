"""Tasks 11, 12 and 13: people who move in pairs, and pronouns for those just named.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from lm2core.babi.story import Ask, Line, Question, Statement, choose_other
from lm2core.babi.world import HOME, VERBS

CONNECTIVES = ("After that", "Afterwards", "Following that", "Then")
_N_MOVES = 5  # a question is about one of the last so many moves
AGES_OF_PAIRS = (0, 0, 1, 1, 2)  # ages of the sentences with these moves, when each sentence states two
PRONOUNS = {"Mary": "she", "Sandra": "she", "John": "he", "Daniel": "he"}


def story_maker(*, n_people: int, has_pronoun: bool) -> Callable[[Random], Iterator[Sequence[Line]]]:
    """Draw endless stories of one or two people who move together, in blocks of two sentences.

    n_people : 1 or 2
    has_pronoun : the second sentence of a block is about the same people, as he, she or they
    """

    def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
        place_of = {actor: rng.choice(HOME.places) for actor in HOME.actors}
        while True:
            first = _next_line(rng, place_of, n_people)
            yield [
                first,
                _pronoun_line(rng, place_of, first) if has_pronoun else _next_line(rng, place_of, n_people),
            ]

    return draw_lines


def question_maker(n_lines: int) -> Ask:
    """Where is one of the people of statement ``i``? The last ``n_lines`` lines about them are the support.

    Only the last ``_N_MOVES`` moves count; a sentence about two people has two. None about an older one.
    """

    def ask(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
        n_moves_since = sum(len(_people(statement)) for statement in history[i + 1 :])
        if not (recent := _people(history[i])[n_moves_since - _N_MOVES :]):
            return None
        actor = rng.choice(recent)
        lines = [j for j, statement in enumerate(history) if actor in _people(statement)][-n_lines:]
        return Question(f"Where is {actor}?", history[lines[-1]].target, tuple(lines), len(history))

    return ask


def _people(statement: Statement) -> tuple[str, ...]:
    return (statement.subject, statement.other) if statement.other else (statement.subject,)


def _next_line(rng: Random, place_of: dict[str, str], n_people: int) -> Line:
    """Move people to a place where none of them is."""
    while True:
        people, place = rng.sample(HOME.actors, n_people), rng.choice(HOME.places)
        if all(place_of[actor] != place for actor in people):
            break
    return _move(rng, place_of, people, place, " and ".join(people))


def _pronoun_line(rng: Random, place_of: dict[str, str], first: Line) -> Line:
    """Move the people of the previous line on to another place."""
    people = _people(first.statement)
    place = choose_other(rng, HOME.places, than=first.statement.target)
    pronoun = "they" if len(people) > 1 else PRONOUNS[people[0]]
    return _move(rng, place_of, people, place, f"{rng.choice(CONNECTIVES)} {pronoun}")


def _move(rng: Random, place_of: dict[str, str], people: Sequence[str], place: str, who: str) -> Line:
    place_of.update(dict.fromkeys(people, place))
    sentence = f"{who} {rng.choice(VERBS['move'])} the {place}."
    statement = Statement(people[0], "move", place, *people[1:])
    return Line(statement, sentence, {f"place of {name}": at for name, at in place_of.items()})
