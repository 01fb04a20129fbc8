"""Which words and phrasings a story may use, and the split into a training and a test share.

The rule of the split: every fifth entry of a list (the fifth, the tenth and so on) is for testing and never
trained on. It holds for people, for the places of each preposition, for things, and for the phrasings of
each kind of statement and question.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from lm2core.babi.world import Cast
from lm2core.english.phrasings import N_PHRASINGS
from lm2core.english.words import PEOPLE, PLACES, THINGS
from lm2core.errors import UserError

SHARES = ("train", "test")
EVERY = 5  # one of so many entries is for testing
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Words and phrasings.

    phrasings : their indices, from 0 to ``N_PHRASINGS`` - 1, of every kind of statement and question
    """

    people: tuple[str, ...]
    places: tuple[str, ...]
    things: tuple[str, ...]
    phrasings: tuple[int, ...]

    def sample(self, rng: Random, *, n_people: int, n_places: int, n_things: int) -> "Lexicon":
        """Fewer of its words, with all its phrasings: for a vocabulary that grows, or a pool of sentences.

        Raises a UserError when there are fewer.
        """
        for words, n in ((self.people, n_people), (self.places, n_places), (self.things, n_things)):
            if not 0 < n <= len(words):
                raise UserError(f"{n} of {len(words)} words of a kind; give 1 to {len(words)}")
        return Lexicon(
            people=tuple(rng.sample(self.people, n_people)),
            places=tuple(rng.sample(self.places, n_places)),
            things=tuple(rng.sample(self.things, n_things)),
            phrasings=self.phrasings,
        )

    def draw_cast(self, rng: Random, *, n_people: int, n_places: int, n_things: int) -> Cast:
        """People, places and things of one story.

        Its places share a preposition: the one in a question's opening would otherwise rule out some of them.

        Raises
        ------
        UserError
            When there are fewer people, things, or places of one preposition.
        """
        groups = [group for group in self._places_by_preposition() if len(group) >= n_places]
        for name, n, most in (
            ("people", n_people, len(self.people)),
            ("places of one preposition", n_places, max(map(len, self._places_by_preposition()), default=0)),
            ("things", n_things, len(self.things)),
        ):
            if not 0 < n <= most:
                raise UserError(f"a story with {n} {name}; give 1 to {most}, as many as the share has")
        places = rng.choices(groups, [len(group) for group in groups])[0]
        return Cast(
            tuple(rng.sample(self.people, n_people)),
            tuple(rng.sample(places, n_places)),
            tuple(rng.sample(self.things, n_things)),
        )

    def _places_by_preposition(self) -> list[list[str]]:
        return [[place for place in self.places if place in group] for group in PLACES.values()]


def lexicon(share: str) -> Lexicon:
    """The words and phrasings of the "train" or the "test" share."""
    if share not in SHARES:
        raise UserError(f"unknown share {share!r} of the words; known: {', '.join(SHARES)}")
    return Lexicon(
        people=_share_of(PEOPLE, share),
        places=tuple(place for group in PLACES.values() for place in _share_of(group, share)),
        things=_share_of(THINGS, share),
        phrasings=_share_of(range(N_PHRASINGS), share),
    )


def _share_of(entries: Sequence[T], share: str) -> tuple[T, ...]:
    return tuple(entry for i, entry in enumerate(entries, start=1) if (i % EVERY == 0) == (share == "test"))
