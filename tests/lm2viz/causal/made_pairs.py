"""Counterfactual pairs and placebos of the handmade model."""

from dataclasses import replace
from random import Random

from lm2core.babi.counterfactual import Counterfactual
from lm2core.babi.story import Statement
from tests.handmade import PLACES, SLOT_OF, handmade_pair, story_of

N_SENTENCES = 5


def place_pairs(n: int, *, about: str = "", seed: int = 0) -> list[Counterfactual]:
    """Pairs whose place differs, where ``about`` is asked for, if given."""
    rng, pairs = Random(seed), []
    while len(pairs) < n:
        pair = handmade_pair(rng, N_SENTENCES)
        if about in pair.question:
            pairs.append(pair)
    return pairs


def person_pairs(n: int, *, seed: int = 0) -> list[Counterfactual]:
    """Mary goes to a place, and then again, or in the edited story somebody else does."""
    rng, pairs = Random(seed), []
    for _ in range(n):
        first, second = rng.sample(PLACES, 2)
        statement = [
            Statement("Mary", "move", first),
            Statement("Sandra", "move", rng.choice(PLACES)),
            Statement("Mary", "move", second),
            Statement("Sandra", "move", rng.choice(PLACES)),
        ]
        other = [*statement[:2], Statement("John", "move", second), statement[3]]
        expected, edited = story_of(statement, "Mary"), story_of(other, "Mary")
        pairs.append(
            Counterfactual(
                task="handmade",
                kind="person",
                sentences=expected.sentences,
                edited=edited.sentences,
                changed=(2,),
                question=expected.questions[0].text,
                answer=second,
                edited_answer=first,
                support=(2,),
                edited_support=(0,),
            )
        )
    return pairs


def placebos(n: int, *, seed: int = 1) -> list[Counterfactual]:
    """Pairs where the place of somebody is another who is not asked for."""
    rng, made = Random(seed), []
    while len(made) < n:
        pair = handmade_pair(rng, N_SENTENCES)
        question_list = next(person for person in SLOT_OF if person in pair.question)
        others = [i for i, sentence in enumerate(pair.sentences) if question_list not in sentence]
        if not others:
            continue
        changed, edited = rng.choice(others), list(pair.sentences)
        person, place = edited[changed].split()
        edited[changed] = f"{person} {rng.choice([p for p in PLACES if p != place])}"
        made.append(
            replace(
                pair,
                kind="placebo",
                edited=tuple(edited),
                changed=(changed,),
                edited_answer=pair.answer,
                edited_support=pair.support,
            )
        )
    return made
