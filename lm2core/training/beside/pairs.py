"""What the memory is trained on: pairs of a statement of one fact and a prompt that its place completes.

A quarter of the places are words of English stories, a quarter any words of a text, the others are made up:
blends of two words, and two words in one, which have several pieces. Most names are made up as well, of
capitalised pieces of the tokenizer's vocabulary and of blends. Whatever is to hold for a word that was never
trained on cannot be learnt from a few hundred. No word of the test share is used.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from transformers import PreTrainedTokenizerBase

from lm2core.english.lexicon import Lexicon, lexicon
from lm2core.english.phrasings import QUESTIONS, STATEMENTS
from lm2core.english.sentences import PREPOSITION
from lm2core.english.varied import varied_prompt, varied_statement

MOST_PIECES = 3  # tokens of a place
VARIED = 0.7  # share of phrasings that are put together from parts
_PLACES = {"english": 0.25, "any": 0.25, "blend": 0.2, "compound": 0.3}  # shares of the kinds of places
_SHORT = 6  # letters at most of each word of a compound
_BLENDED = 0.75  # share of the made-up names that are blends
_LETTERS = (2, 3, 4)  # that a blend takes of each word
_PREPOSITIONS = ("in", "at", "on")
_WORD = re.compile(r"\b[a-z]{3,12}\b")


@dataclass(frozen=True, slots=True)
class Pair:
    """One fact, said and asked about; the prompt ends where ``place`` follows."""

    person: str
    place: str
    statement: str
    prompt: str


def training_pairs(
    tokenizer: PreTrainedTokenizerBase,
    text: Iterable[str],
    seed: int,
    *,
    per_person: int,
    n_names: int,
    per_name: int,
) -> list[Pair]:
    """Pairs of the training share.

    Parameters
    ----------
    tokenizer, text
        Names are made from the vocabulary of the one and the words of the other.
    per_person, per_name : int
        Different places of each person of the lexicon, and of each of ``n_names`` made-up names.
    """
    rng, words = Random(f"pairs {seed}"), lexicon("train")
    any_words = _any_words(text)
    people = {person: per_person for person in words.people}
    n_blended = round(n_names * _BLENDED)
    people |= dict.fromkeys(rng.sample(_names(tokenizer), n_names - n_blended), per_name)
    people |= dict.fromkeys(_blended(rng, any_words, n_blended), per_name)
    makers = _place_makers(rng, any_words)
    pairs = []
    for person, n in people.items():
        places = dict.fromkeys(_place(rng, makers, tokenizer) for _ in range(n))
        pairs += [_pair(rng, person, place, words, varied=VARIED) for place in places]
    return pairs


def held_out_pairs(tokenizer: PreTrainedTokenizerBase, seed: int, *, per_person: int) -> list[Pair]:
    """Pairs of the test share alone: its people, places and phrasings."""
    rng, words = Random(f"held-out pairs {seed}"), lexicon("test")
    places = [place for place in words.places if _n_pieces(tokenizer, place) <= MOST_PIECES]
    return [
        _pair(rng, person, place, words, varied=0.0)
        for person in words.people
        for place in rng.sample(places, min(per_person, len(places)))
    ]


def _pair(rng: Random, person: str, place: str, words: Lexicon, *, varied: float) -> Pair:
    at = PREPOSITION.get(place) or rng.choice(_PREPOSITIONS)
    said, asked = rng.choice(words.phrasings), rng.choice(words.phrasings)
    named = {"person": person, "place": place, "at": at}
    statement = STATEMENTS["move"][said].format(**named)
    prompt = " ".join(QUESTIONS["where-person"][asked]).format(**named)
    if rng.random() < varied:
        statement = varied_statement(rng, **named)
    if rng.random() < varied:
        prompt = varied_prompt(rng, person, at)
    return Pair(person, place, statement, prompt)


def _place_makers(rng: Random, any_words: Sequence[str]) -> dict[str, Callable[[], str]]:
    """By kind of ``_PLACES``, what draws one."""
    english = lexicon("train").places
    short = [word for word in any_words if len(word) <= _SHORT]
    return {
        "english": lambda: rng.choice(english),
        "any": lambda: rng.choice(any_words),
        "blend": lambda: _blend(rng, any_words),
        "compound": lambda: rng.choice(short) + rng.choice(short),
    }


def _place(rng: Random, makers: dict[str, Callable[[], str]], tokenizer: PreTrainedTokenizerBase) -> str:
    while True:
        (kind,) = rng.choices(list(_PLACES), list(_PLACES.values()))
        word = makers[kind]()
        if word not in _held_out() and _n_pieces(tokenizer, word) <= MOST_PIECES:
            return word


def _n_pieces(tokenizer: PreTrainedTokenizerBase, word: str) -> int:
    """Tokens of a word within a sentence."""
    return len(tokenizer(word, add_special_tokens=False)["input_ids"])


@cache
def _held_out() -> set[str]:
    words = lexicon("test")
    return {word.lower() for word in (*words.people, *words.places, *words.things)}


def _any_words(text: Iterable[str]) -> list[str]:
    """The different words of ``text``, sorted, without those of the test share."""
    return sorted({word for part in text for word in _WORD.findall(part)} - _held_out())


def _blended(rng: Random, words: Sequence[str], n: int) -> list[str]:
    """``n`` different names, each of the beginning of one word and the end of another."""
    held_out, names = _held_out(), dict[str, None]()
    while len(names) < n:
        name = _blend(rng, words)
        if name not in held_out:
            names[name.capitalize()] = None
    return list(names)


def _blend(rng: Random, words: Sequence[str]) -> str:
    return rng.choice(words)[: rng.choice(_LETTERS)] + rng.choice(words)[-rng.choice(_LETTERS) :]


def _names(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """Capitalised pieces of the vocabulary that begin a word, sorted, without words of the test share."""
    pieces = (tokenizer.convert_tokens_to_string([piece]) for piece in sorted(tokenizer.get_vocab()))
    names = (piece[1:] for piece in pieces if piece.startswith(" ") and piece[1:].istitle())
    return [name for name in names if name.isascii() and name.isalpha() and name.lower() not in _held_out()]
