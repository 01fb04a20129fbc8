"""Tasks 15 and 16: what animals fear and which colour they have, and what follows for named animals.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Nothing changes: the same facts hold
after every sentence.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType

from lm2core.babi.story import Line, Question, Statement, choose_other, last_index

PLURALS = MappingProxyType({"mouse": "mice", "sheep": "sheep", "wolf": "wolves", "cat": "cats"})
FRIENDS = ("Gertrude", "Winona", "Jessica", "Emily")
PEOPLE = ("Lily", "Bernhard", "Greg", "Julius", "Brian")
ANIMALS = ("swan", "lion", "frog", "rhino")
COLOURS = ("gray", "white", "yellow", "green")
IS_A, HAS_COLOUR, FEARS = "is a", "is", "fears"
# Shares of published stories by how many others are the same animal as the one asked about; never two. Fitted
_N_ALIKE = MappingProxyType({1: 0.881, 3: 0.104, 4: 0.015})
_P_SAME_COLOUR = 0.52  # how often a character is given the colour of the last same animal. Fitted


def draw_fears(rng: Random) -> Iterator[Sequence[Line]]:
    """qa15: every kind of animal fears another; every character is an animal whose fear is already stated."""
    animals = tuple(PLURALS)
    statements: list[Statement] = []
    open_subjects = [*animals, *FRIENDS]
    while open_subjects:
        subject = rng.choice(open_subjects)
        if subject in animals:
            statements.append(Statement(subject, FEARS, choose_other(rng, animals, than=subject)))
        else:
            animal = rng.choice(animals)
            if animal in open_subjects:
                continue
            statements.append(Statement(subject, IS_A, animal))
        open_subjects.remove(subject)
    fear_of = {s.subject: s.target for s in statements if s.relation == FEARS}
    animal_of = {s.subject: s.target for s in statements if s.relation == IS_A}
    yield _lines(statements, animal_of, "fear", fear_of | {name: fear_of[a] for name, a in animal_of.items()})


def ask_fear(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa15: what does the character fear whose kind of animal statement ``i`` gives? None before that."""
    name, animal = history[i].subject, history[i].target
    if history[i].relation != IS_A:
        return None
    fears = last_index(history, len(history), lambda s: s.relation == FEARS and s.subject == animal)
    if fears is None:
        return None
    return Question(f"What is {name.lower()} afraid of?", history[fears].target, (i, fears), len(history))


def draw_colours(rng: Random) -> Iterator[Sequence[Line]]:
    """qa16: five characters are animals; the colours of all but one are stated, in random order."""
    steps, to_do = [], [(name, IS_A) for name in PEOPLE]
    while len(to_do) > 1 or to_do[0][1] == IS_A:
        name, relation = to_do.pop(rng.randrange(len(to_do)))
        steps.append((name, relation))
        if relation == IS_A:
            to_do.append((name, HAS_COLOUR))
    animal_of = _draw_animals(rng, protagonist=to_do[0][0])
    statements: list[Statement] = []
    for name, relation in [*steps, *to_do]:
        if relation == IS_A:
            statements.append(Statement(name, IS_A, animal_of[name]))
            continue
        example = _example(statements, name)
        is_kept = (name, relation) in to_do or rng.random() < _P_SAME_COLOUR
        colour = statements[example[1]].target if example and is_kept else rng.choice(COLOURS)
        statements.append(Statement(name, HAS_COLOUR, colour))
    colour_of = {s.subject: s.target for s in statements if s.relation == HAS_COLOUR}
    yield _lines(statements[:-1], animal_of, "colour", colour_of)


def ask_colour(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """qa16: which colour is the character of statement ``i``? That of the last one of the same animal."""
    name = history[i].subject
    if history[i].relation != IS_A or any(s.relation == HAS_COLOUR and s.subject == name for s in history):
        return None
    example = _example(history, name)
    if example is None:
        return None
    return Question(f"What color is {name}?", history[example[1]].target, (i, *example), len(history))


def _example(history: Sequence[Statement], name: str) -> tuple[int, int] | None:
    """Indices of the animal and the colour of the last same animal as ``name`` whose colour is known."""
    is_a = {s.subject: j for j, s in enumerate(history) if s.relation == IS_A}
    colour = {s.subject: j for j, s in enumerate(history) if s.relation == HAS_COLOUR}
    animal = history[is_a[name]].target
    alike = [other for other in is_a if other in colour and history[is_a[other]].target == animal]
    return (is_a[alike[-1]], colour[alike[-1]]) if alike else None


def _draw_animals(rng: Random, protagonist: str) -> dict[str, str]:
    """An animal for every character; at least one other is the same animal as the ``protagonist``."""
    others, animal = [name for name in PEOPLE if name != protagonist], rng.choice(ANIMALS)
    n_alike = rng.choices(list(_N_ALIKE), list(_N_ALIKE.values()))[0]
    alike = {protagonist, *rng.sample(others, n_alike)}
    return {name: animal if name in alike else choose_other(rng, ANIMALS, than=animal) for name in PEOPLE}


def _lines(
    statements: Sequence[Statement], animal_of: Mapping[str, str], trait: str, trait_of: Mapping[str, str]
) -> list[Line]:
    facts = {f"animal of {name}": animal for name, animal in animal_of.items()}
    facts |= {f"{trait} of {name}": value for name, value in trait_of.items()}
    return [Line(statement, _sentence(statement), facts) for statement in statements]


def _sentence(statement: Statement) -> str:
    if statement.relation == FEARS:
        return f"{PLURALS[statement.subject].capitalize()} are afraid of {PLURALS[statement.target]}."
    return f"{statement.subject} {statement.relation} {statement.target}."
