"""Stories in which a fact is edited, with what is true at once and after later sentences.

The truth is that of the story with a sentence put in that states the new value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lm2core.babi.fact_questions import PLACE, question_about
from lm2core.babi.known_facts import KnownFacts, known_facts
from lm2core.babi.sentences import parse
from lm2core.babi.story import Statement, Story
from lm2core.errors import UserError
from lm2viz.causal.interchange_pairs import Asked, QuestionOf, Stories

AFTER = (0, 1, 4)  # sentences read after the edit, at which answers are asked
SentenceOf = Callable[[str, str], str]  # a fact and a value -> the sentence that states it


@dataclass(frozen=True, slots=True)
class Check:
    """The questions asked some sentences after an edit.

    fact : the one about the edited fact; where a later sentence states it again, it is one of the others
    follows : those whose answers must change with it
    others : all others that can be asked
    """

    fact: tuple[Asked, ...]
    follows: tuple[Asked, ...]
    others: tuple[Asked, ...]


@dataclass(frozen=True, slots=True)
class EditCase:
    """One edit of one story.

    before : the sentences read until then
    sentence : the one that would state the value
    later : the sentences read afterwards
    checks : by the number of later sentences
    """

    before: tuple[str, ...]
    value: str
    sentence: str
    later: tuple[str, ...]
    checks: dict[int, Check]


def state_place(fact: str, value: str) -> str:
    """The sentence with which bAbI states the place of a person."""
    return f"{fact.removeprefix(PLACE)} went to the {value}."


def check_can_be_stated(fact: str) -> None:
    """Refuse a fact that no sentence states: a UserError."""
    name = fact.removeprefix(PLACE)
    if name == fact or not name[:1].isupper() or " " in name:
        raise UserError(
            f"no single sentence states {fact!r}, so there is nothing to compare its edit with; give the "
            "place of a person, such as 'place of Mary'"
        )


def draw_cases(
    stories: Stories,
    fact: str,
    values: Sequence[str],
    *,
    seed: int = 0,
    question_of: QuestionOf = question_about,
    sentence_of: SentenceOf = state_place,
) -> list[EditCase]:
    """An edit of each story, at a random moment when the fact is known and ``max(AFTER)`` sentences follow.

    values : the new value is one of these, and another than that of the story
    """
    rng, cases = np.random.default_rng(seed), []
    for story in stories:
        history = list(story.statements) if isinstance(story, Story) else parse(story.sentences)
        known = known_facts(history)
        steps = [k for k in range(1, len(known) - max(AFTER) + 1) if fact in known[k - 1]]
        if not steps:
            continue
        step = int(rng.choice(steps))
        value = str(rng.choice([v for v in values if v != known[step - 1][fact].value]))
        stated = Statement(fact.removeprefix(PLACE), "move", value)
        told = known_facts([*history[:step], stated, *history[step:]])
        checks = {n: _check(known[step + n - 1], told[step + n], fact, step, question_of) for n in AFTER}
        sentences = story.sentences
        cases.append(
            EditCase(
                before=tuple(sentences[:step]),
                value=value,
                sentence=sentence_of(fact, value),
                later=tuple(sentences[step : step + max(AFTER)]),
                checks=checks,
            )
        )
    return cases


def _check(
    without: KnownFacts, told: KnownFacts, fact: str, edited_at: int, question_of: QuestionOf
) -> Check:
    """What to ask when ``told`` is true, and ``without`` is true without the edit."""
    asked = {name: q for name in told if name in without and (q := question_of(name))}
    stands = fact in asked and told[fact].since == edited_at
    is_same = {
        name: told[name].value == without[name].value for name in asked if not (stands and name == fact)
    }
    return Check(
        fact=((asked[fact], told[fact].value),) if stands else (),
        follows=tuple((asked[n], told[n].value) for n, same in is_same.items() if not same),
        others=tuple((asked[n], told[n].value) for n, same in is_same.items() if same),
    )
