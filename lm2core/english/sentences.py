"""An English sentence as a value, and pools of distinct ones, such as to keep their activations."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations, product
from math import prod
from random import Random

from lm2core.babi.story import Statement
from lm2core.english.lexicon import Lexicon
from lm2core.english.phrasings import STATEMENTS
from lm2core.english.words import PLACES
from lm2core.errors import UserError

PREPOSITION = {place: preposition for preposition, places in PLACES.items() for place in places}


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a sentence says, and in which of the phrasings; equal sentences have equal texts.

    statement : ``relation`` is move, get, drop or give, ``subject`` a person, ``target`` a place or a thing,
        ``other`` the receiver of a give
    phrasing : index into ``STATEMENTS[relation]``
    """

    statement: Statement
    phrasing: int

    @property
    def text(self) -> str:
        """The sentence, with its full stop."""
        said = self.statement
        return STATEMENTS[said.relation][self.phrasing].format(
            person=said.subject,
            place=said.target,
            at=PREPOSITION.get(said.target, ""),
            thing=said.target,
            other=said.other,
        )


def all_sentences(lexicon: Lexicon, relation: str) -> Iterator[Sentence]:
    """Every sentence of one relation (move, get, drop or give) with these words and phrasings, once."""
    targets = lexicon.places if relation == "move" else lexicon.things
    pairs = permutations(lexicon.people, 2) if relation == "give" else ((x, "") for x in lexicon.people)
    for (person, other), target, phrasing in product(pairs, targets, lexicon.phrasings):
        yield Sentence(Statement(person, relation, target, other), phrasing)


def count_sentences(lexicon: Lexicon, relation: str) -> int:
    """How many ``all_sentences`` gives, without making them."""
    n_people = len(lexicon.people)
    targets = lexicon.places if relation == "move" else lexicon.things
    n_others = n_people - 1 if relation == "give" else 1
    return prod((n_people, n_others, len(targets), len(lexicon.phrasings)))


def sample_sentences(lexicon: Lexicon, relation: str, n: int, rng: Random) -> list[Sentence]:
    """``n`` different sentences of one relation, drawn uniformly.

    Raises
    ------
    UserError
        When there are fewer.
    """
    n_all = count_sentences(lexicon, relation)
    if n > n_all:
        raise UserError(f"{n:,} different {relation} sentences; these words and phrasings make {n_all:,}")
    targets = lexicon.places if relation == "move" else lexicon.things
    drawn: dict[Sentence, None] = {}
    while len(drawn) < n:
        person, *others = rng.sample(lexicon.people, 2 if relation == "give" else 1)
        statement = Statement(person, relation, rng.choice(targets), *others)
        drawn.setdefault(Sentence(statement, rng.choice(lexicon.phrasings)))
    return list(drawn)
