"""The family of constructed models on which methods are tried, with the slots that matter in each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from random import Random

from lm2core.babi.counterfactual import Counterfactual
from lm2core.babi.story import Story
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.interchange_scores import PairScorer
from lm2viz.causal.interchanging import pair_scorer
from lm2viz.trial.constructed import PEOPLE, Layout, Memory, construct
from lm2viz.trial.stories import draw_pair, draw_placebo, draw_story, question_of

N_STORIES, N_PAIRS, N_DONORS = 40, 24, 2
HOME = {"Mary": 3, "John": 0, "Sandra": 2}  # the slot of each person
SECOND = {"Mary": 1, "John": 5, "Sandra": 4}


@dataclass(frozen=True, slots=True)
class Member:
    """A model of the family.

    meaning : what is special about it
    truth : the slots that the answers about each person's place are taken from
    """

    name: str
    meaning: str
    lm: LoadedModel
    truth: Mapping[str, frozenset[int]]


def family() -> list[Member]:
    """All members."""
    home, both = Memory(HOME), (Layout(5), Layout(7))
    shared = (Memory({"Mary": 3, "Sandra": 2}), Memory({"John": 3}, part=1))
    halves = (Memory(HOME, places=(0, 1)), Memory(SECOND, places=(2, 3)))
    two = {person: frozenset({HOME[person], SECOND[person]}) for person in PEOPLE}
    one = {person: frozenset({HOME[person]}) for person in PEOPLE}
    return [
        _member("overwrite", "a slot for each person, overwritten by the next place", (home,), both[0], one),
        _member("copy", "a whole copy of the place in a second slot; both are read", (home, Memory(SECOND)),
                both[1], two),
        _member("shared", "the places of two people in parts of one slot", shared, Layout(5, 2),
                {**one, "John": frozenset({3})}),
        _member("split", "half of each place in one slot, half in another", halves, both[1], two),
        _member("decoy", "a whole copy of the place in a second slot, which is never read",
                (home, Memory(SECOND, is_read=False)), both[1], one),
    ]  # fmt: skip


def _member(
    name: str,
    meaning: str,
    memories: tuple[Memory, ...],
    layout: Layout,
    truth: Mapping[str, frozenset[int]],
) -> Member:
    return Member(name, meaning, construct(name, memories, layout), truth)


class Case:
    """One fact in one model, as a method sees it: the truth is not part of it.

    lm : the model; person : whose place is meant; fact : its name
    stories : those that the method can look at; each ends with a question about the person
    """

    def __init__(self, member: Member, person: str, seed: int) -> None:
        self.lm, self.person, self.fact, self.seed = member.lm, person, f"place of {person}", seed
        rng = Random(seed)
        self.stories: list[Story] = [draw_story(rng, about=person) for _ in range(N_STORIES)]

    @property
    def n_slots(self) -> int:
        """Slots of the bank."""
        return int(self.lm.model.config.memory_slots)

    @cached_property
    def scorer(self) -> PairScorer:
        """Pairs of the stories for interchange, see ``lm2viz.causal.interchange``."""
        return pair_scorer(
            self.lm,
            self.stories,
            self.fact,
            n_donors=N_DONORS,
            seed=self.seed,
            question_of=question_of,
        )

    @cached_property
    def counterfactuals(self) -> tuple[list[Counterfactual], list[Counterfactual]]:
        """Pairs of minimal edits about the person, and placebos, as ``causal_map`` takes them."""
        rng = Random(self.seed + 1)
        pairs = [draw_pair(rng, about=self.person) for _ in range(N_PAIRS)]
        return pairs, [draw_placebo(rng, about=self.person) for _ in range(N_PAIRS)]
