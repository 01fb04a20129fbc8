"""Pairs of stories for interchange: whose slots go where, and what each answer must then be.

Source: interchange interventions, Geiger et al. 2021, arXiv:2106.02997; the questions about everything else
are those of RAVEL, Huang et al. 2024, arXiv:2402.17700. The causal model is lm2core.babi.fact_questions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lm2core.babi.fact_questions import asked_fact, question_about, with_fact
from lm2core.babi.known_facts import known_facts, parse_facts
from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError

Stories = Sequence[Story | TextStory]
QuestionOf = Callable[[str], str | None]
Asked = tuple[str, str]  # a question and an answer
World = dict[str, str]

N_DONORS = 5  # for each story
N_OTHERS = 3  # questions about everything else, for each pair: more of them are more of the same


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Slots as they are in story ``donor`` after ``donor_step`` sentences, put into story ``base``.

    base_step, donor_step : sentences read, from 1
    question : about the fact
    before, after : the right answer in the base story, and what it must become; equal for a pair that agrees
    donor_answer : the right answer in the donor story
    others : questions whose answers must stay, with these answers
    follows : questions whose answers must change with the fact, with what they must become: things that a
        person holds
    """

    base: int
    base_step: int
    donor: int
    donor_step: int
    question: str
    before: str
    after: str
    donor_answer: str
    others: tuple[Asked, ...] = ()
    follows: tuple[Asked, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether the answer must stay what it is: the pair shows nothing about the fact."""
        return self.before == self.after


def draw_pairs(
    stories: Stories,
    fact: str,
    *,
    n_donors: int = N_DONORS,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> list[Pair]:
    """Pairs of one fact: every story that states it, at a random moment, with several other stories.

    Moments are those at which the fact is known, drawn uniformly, so the two sides may have been read for
    any number of sentences. Pairs that agree are among them.

    n_donors : for each story, or as many as there are
    question_of : the question about a fact, for stories of other words than bAbI's

    Raises
    ------
    UserError
        For a fact that is not known in these stories or that no question asks for, listing those that can be
        taken; if it is known in fewer than two stories.
    """
    if n_donors < 1:
        raise UserError(f"n_donors = {n_donors}; give at least 1")
    worlds = [_worlds(story) for story in stories]
    _check_fact(worlds, fact, question_of)
    rng = np.random.default_rng(seed)
    moments = {i: steps for i, each in enumerate(worlds) if (steps := _askable(each, fact, question_of))}
    if len(moments) < 2:
        raise UserError(f"{fact}: known in {len(moments)} of {len(stories)} stories; give more stories")
    pairs = []
    for base, steps in moments.items():
        base_step = int(rng.choice(steps))
        for donor in rng.permutation([i for i in moments if i != base])[:n_donors].tolist():
            donor_step = int(rng.choice(moments[donor]))
            at = (base, base_step), (donor, donor_step)
            if pair := _pair(worlds, at, fact, question_of, rng):
                pairs.append(pair)
    return pairs


def askable_facts(stories: Stories, question_of: QuestionOf = question_about) -> list[str]:
    """The facts of these stories that interchange can be scored on, in the order of the alphabet."""
    worlds = [world for story in stories for world in _worlds(story)]
    return sorted({fact for world in worlds for fact in world if question_of(asked_fact(fact))})


def _worlds(story: Story | TextStory) -> list[World]:
    """What is known after each sentence, without since when."""
    known = parse_facts(story.sentences) if isinstance(story, TextStory) else known_facts(story.statements)
    return [{fact: value for fact, (value, _) in after.items()} for after in known or []]


def _check_fact(worlds: Sequence[Sequence[World]], fact: str, question_of: QuestionOf) -> None:
    known = {name for after in worlds for world in after for name in world}
    if fact not in known or question_of(asked_fact(fact)) is None:
        usable = sorted(name for name in known if question_of(asked_fact(name)))
        raise UserError(
            f"no fact {fact!r} to ask about in these stories; they have: {', '.join(usable) or 'none'}"
        )


def _askable(worlds: Sequence[World], fact: str, question_of: QuestionOf) -> list[int]:
    """Steps, from 1, after which the fact is known and the answer to its question too."""
    return [k for k, world in enumerate(worlds, start=1) if fact in world and asked_fact(fact) in world]


def _pair(
    worlds: Sequence[Sequence[World]],
    sides: tuple[tuple[int, int], tuple[int, int]],
    fact: str,
    question_of: QuestionOf,
    rng: np.random.Generator,
) -> Pair | None:
    """The pair of these sides (story and step); None where what must become of the fact is not known."""
    (base, base_step), (donor, donor_step) = sides
    world, of_donor = worlds[base][base_step - 1], worlds[donor][donor_step - 1]
    changed, asked = with_fact(world, fact, of_donor[fact]), asked_fact(fact)
    text = question_of(asked)
    if changed is None or text is None:
        return None
    askable = [(name, q) for name in world if name not in (fact, asked) and (q := question_of(name))]
    others = [(q, world[name]) for name, q in askable if changed.get(name) == world[name]]
    follows = [(q, changed[name]) for name, q in askable if changed.get(name, world[name]) != world[name]]
    return Pair(
        base=base,
        base_step=base_step,
        donor=donor,
        donor_step=donor_step,
        question=text,
        before=world[asked],
        after=changed[asked],
        donor_answer=of_donor[asked],
        others=tuple(others[i] for i in rng.permutation(len(others))[:N_OTHERS]),
        follows=tuple(follows),
    )
