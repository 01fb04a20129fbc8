"""Which slot holds which fact, and whether answers use it: probes and edits of every cell in one table."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.babi.fact_questions import question_about
from lm2core.errors import UserError
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.arrays import Array
from lm2viz.causal.describe import slots_in_words
from lm2viz.causal.interchange_banks import PairBanks
from lm2viz.causal.interchange_pairs import Pair, QuestionOf, Stories, askable_facts, draw_pairs
from lm2viz.causal.interchange_scores import PairScorer, PairScores, answered_rightly, estimate_columns
from lm2viz.causal.interchanging import check_enough
from lm2viz.estimates import MARGIN, Estimates, above_zero_p, corrected
from lm2viz.figures.slot_use import verdict_matrix
from lm2viz.progress import track

if TYPE_CHECKING:  # scikit-learn, which the first page of the app does without
    from lm2viz.probes import SlotFacts

BOTH, DECODED, USED, NEITHER = "decoded and used", "decoded, not used", "used, not decoded", "neither"
VERDICTS = (BOTH, DECODED, USED, NEITHER)
NOT_MEASURED = "use not measured"
LEVEL = 0.05  # false discoveries among cells that are called decoded, and among those called used
N_OTHERS = 2  # questions about everything else, for each pair
EDITS = ("zero", "resample", "interchange", "isolation")


@dataclass(frozen=True, slots=True)
class FactUse:
    """What edits of each slot do to the answers about one fact; every array has shape (n_slots,).

    edits : by name in ``EDITS``: shares of the answers that change when the slot is zero, or another story's,
        that become what they must, and of the other answers that stay
    p : uncorrected p that more than ``MARGIN`` of the answers become what they must, beyond those that
        become any other particular answer
    """

    edits: dict[str, Estimates]
    p: Array
    n_stories: int


@dataclass(frozen=True, slots=True)
class SlotUse:
    """Probes and edits of every slot for every fact.

    of_fact : a fact that no question asks for, or that has too few pairs, is missing
    decoded_p, used_p : ndarrays of shape (n_facts, n_slots), corrected over all of these cells; NaN where
        not measured
    """

    model: str
    probes: "SlotFacts" = field(repr=False)
    of_fact: dict[str, FactUse] = field(repr=False)
    decoded_p: Array = field(repr=False)
    used_p: Array = field(repr=False)

    @property
    def facts(self) -> tuple[str, ...]:
        """All facts, in the order of the rows."""
        return self.probes.facts

    def verdicts(self, fact: str) -> list[str]:
        """The word for each slot: one of ``VERDICTS``, or ``NOT_MEASURED``."""
        i = self.facts.index(fact)
        if fact not in self.of_fact:
            return [NOT_MEASURED] * self.used_p.shape[1]
        words = {(True, True): BOTH, (True, False): DECODED, (False, True): USED, (False, False): NEITHER}
        is_decoded, is_used = (p[i] <= LEVEL for p in (self.decoded_p, self.used_p))
        return [words[bool(d), bool(u)] for d, u in zip(is_decoded, is_used, strict=True)]

    def slots(self, fact: str, verdict: str) -> list[int]:
        """The slots of a fact with this verdict, those with the most interchange first."""
        chosen = [slot for slot, word in enumerate(self.verdicts(fact)) if word == verdict]
        if fact not in self.of_fact:
            return chosen
        return sorted(chosen, key=lambda slot: -self.of_fact[fact].edits["interchange"].value[slot])

    @property
    def verdict(self) -> str:
        """How many cells are decoded, and how many of these the answers use, in a sentence."""
        words = [word for fact in self.of_fact for word in self.verdicts(fact)]
        n_decoded, n_used = words.count(BOTH) + words.count(DECODED), words.count(BOTH)
        if not words:
            return "No fact could be asked about: too few stories, or answers that are not right."
        return (
            f"Of {len(words)} pairs of a slot and a fact, probes decode the fact in {n_decoded}; the answers "
            f"use {n_used} of these, and {words.count(USED)} that no probe decodes."
        )

    def summary(self) -> str:
        """The verdict, then the slots of each fact by what is shown of them."""
        lines = [
            self.verdict,
            f"Decoded: a probe is right in over {MARGIN:.0%} more rows than every control. Used: put in from "
            f"another story, the slot makes over {MARGIN:.0%} of the answers what they must become, beyond "
            f"any other answer. Both corrected for all pairs (Benjamini-Hochberg, {LEVEL:.0%}); {self.model}",
        ]
        for fact in self.facts:
            if fact not in self.of_fact:
                lines.append(f"{fact}: {NOT_MEASURED}: no question, or too few answers that are right")
                continue
            named = [
                f"{word}: {self._in_words(fact, word)}" for word in (BOTH, USED) if self.slots(fact, word)
            ]
            unused = slots_in_words(sorted(self.slots(fact, DECODED)))
            named += [f"{DECODED}: {unused}"] if unused else []
            lines.append(f"{fact}: {'; '.join(named) or 'no slot alone'}")
        return "\n".join(lines)

    def _in_words(self, fact: str, word: str) -> str:
        interchange = self.of_fact[fact].edits["interchange"].value
        return ", ".join(f"slot {slot} ({interchange[slot]:.0%})" for slot in self.slots(fact, word))

    def table(self) -> pd.DataFrame:
        """One row per fact and slot; shares are fractions, p values are corrected."""
        from lm2viz.probes.matrix import SELECTIVITY
        from lm2viz.probes.scores import PROBE

        rows = []
        for i, fact in enumerate(self.facts):
            for slot, verdict in enumerate(self.verdicts(fact)):
                row: dict[str, object] = {"fact": fact, "slot": slot, "verdict": verdict}
                if fact in self.probes.cells:
                    row["probe"] = self.probes.cells[fact][PROBE].value[slot]
                    row["selectivity"] = self.probes.cells[fact][SELECTIVITY].value[slot]
                if fact in self.of_fact:
                    use = self.of_fact[fact]
                    row |= {name: use.edits[name].value[slot] for name in EDITS}
                    row |= {
                        "interchange_low": use.edits["interchange"].low[slot],
                        "interchange_high": use.edits["interchange"].high[slot],
                        "n_pairs": use.edits["interchange"].n,
                        "n_stories": use.n_stories,
                    }
                p = {"decoded_p": self.decoded_p[i, slot], "used_p": self.used_p[i, slot]}
                rows.append(row | p)
        return pd.DataFrame(rows)

    def figure(self) -> go.Figure:
        """The word for each cell as a colour; all numbers on hovering."""
        return verdict_matrix(self.table(), verdicts=VERDICTS)


def slot_use(
    lm: LoadedModel,
    probes: "SlotFacts",
    stories: Stories,
    *,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> SlotUse:
    """Edit every slot for every fact of ``probes``, and say of each cell whether it is decoded and used.

    probes : of the same model, on stories of the same kind
    stories : pairs are drawn from them, one donor for each

    Raises
    ------
    UserError
        If no question asks for any of the facts; as ``interchange`` for words, answers and routing, and for
        too few stories if a single fact was probed.
    """
    probed = [fact for fact in probes.facts if fact in probes.cells]
    pairs = _one_donor_each(stories, probed, n_others=N_OTHERS, seed=seed, question_of=question_of)
    if not any(pairs.values()):
        raise UserError(
            f"no pair of these stories asks for {', '.join(probes.facts)}; give stories of qa1 to qa4"
        )
    shape = len(probes.facts), lm.model.config.memory_slots
    decoded_p, used_p, of_fact = np.full(shape, np.nan), np.full(shape, np.nan), {}
    banks = PairBanks(lm, stories, [p for of_one in pairs.values() for p in of_one])
    for fact, drawn in track(pairs.items(), "editing slots", "fact"):
        scored = answered_rightly(banks, drawn)
        try:
            n_stories = check_enough(scored, len(drawn), fact)
        except UserError:
            if len(probes.facts) == 1:
                raise
            continue
        of_fact[fact] = fact_use(PairScorer(banks, scored), n_stories, seed)
        used_p[probes.facts.index(fact)] = of_fact[fact].p
    for i, fact in enumerate(probes.facts):
        if fact in of_fact:
            decoded_p[i] = probes.p[fact]
    return SlotUse(lm.name, probes, of_fact, corrected(decoded_p), corrected(used_p))


def used_slots(
    lm: LoadedModel,
    stories: Stories,
    slots: Mapping[str, int],
    *,
    seed: int = 0,
    question_of: QuestionOf = question_about,
) -> dict[str, bool]:
    """Whether the answers about each fact use one slot, as in ``slot_use``, corrected for these facts alone.

    slots : by fact. Missing in the result: facts that no question asks for, or with too few pairs
    """
    pairs = _one_donor_each(stories, list(slots), n_others=0, seed=seed, question_of=question_of)
    if not any(pairs.values()):
        return {}
    banks, p = PairBanks(lm, stories, [p for of_one in pairs.values() for p in of_one]), {}
    for fact, drawn in track(pairs.items(), "editing slots", "fact"):
        scored = answered_rightly(banks, drawn)
        with suppress(UserError):  # too few pairs for an interval
            check_enough(scored, len(drawn), fact)
            scorer = PairScorer(banks, scored)
            beyond = _beyond(scorer, scorer.score_slots([slots[fact]], with_others=False))
            p[fact] = float(above_zero_p(beyond[:, None], scorer.base, seed=seed)[0])
    return {fact: bool(x <= LEVEL) for fact, x in zip(p, corrected(np.array([*p.values()])), strict=True)}


def _one_donor_each(
    stories: Stories, facts: Sequence[str], *, n_others: int, seed: int, question_of: QuestionOf
) -> dict[str, list[Pair]]:
    """Pairs of each fact that can be asked about, without those that agree."""
    askable, pairs = set(askable_facts(stories, question_of)), {}
    for fact in facts:
        if fact in askable:
            with suppress(UserError):  # known in one story
                drawn = draw_pairs(stories, fact, n_donors=1, seed=seed, question_of=question_of)
                pairs[fact] = [
                    replace(p, others=p.others[:n_others], follows=()) for p in drawn if not p.agrees
                ]
    return pairs


def _beyond(scorer: PairScorer, scores: PairScores) -> Array:
    """By how much more than ``MARGIN`` each answer (P,) is what it must become rather than any other one.

    An edit that only breaks the answer hits the right one as often as any other that is wrong.
    """
    n_values = len({answer for p in scorer.pairs for answer in (p.before, p.after)})
    return scores.hit - (1 - scores.hit - scores.kept) / max(n_values - 2, 1) - MARGIN


def fact_use(scorer: PairScorer, n_stories: int, seed: int) -> FactUse:
    """What edits of each slot do to the answers of these pairs.

    n_stories : that the pairs are of
    """
    pairs, n_slots = scorer.pairs, scorer.banks.n_slots
    columns: dict[str, list[Array]] = {name: [] for name in (*EDITS, "beyond")}
    for slot in track(range(n_slots), "exchanging slots", "slot"):
        it = scorer.score_slots([slot])
        columns["zero"].append(1 - scorer.kept_without(slot))
        columns["resample"].append(1 - it.kept)
        columns["interchange"].append(it.hit)
        columns["isolation"].append(it.stay)
        columns["beyond"].append(_beyond(scorer, it))
    stacked = {name: np.stack(each, axis=1) for name, each in columns.items()}
    p = above_zero_p(stacked.pop("beyond"), np.array([pair.base for pair in pairs]), seed=seed)
    return FactUse({n: estimate_columns(x, pairs, seed=seed) for n, x in stacked.items()}, p, n_stories)
