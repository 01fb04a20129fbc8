"""Does an answer need a sentence, or a slot? Each is removed in turn, and the question is asked again.

Ablation measures what the model uses, provenance what its memory holds; each is a check on the other. A
supporting sentence need not be needed: whether Mary dropped the apple or still holds it, it is where she is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import torch

from lm2core.babi.story import Question, Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import encode_questions
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import shown_words
from lm2core.text.tokenizer import check_words, encode_segments
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.causal.running import Stories, ask_banks
from lm2viz.estimates import Estimate, mean
from lm2viz.figures.provenance import agreement_bars
from lm2viz.progress import track
from lm2viz.provenance.sources import NEEDED_BELOW, is_needed

KINDS = {"supporting facts": True, "other sentences": False}
_ROWS = 64  # stories per batch: a trade-off of speed and memory


@dataclass(frozen=True, slots=True)
class SentenceAblation:
    """What answers lose when a sentence is removed.

    rows : one row per question and earlier sentence: ``story``; ``question``, counted over all stories;
        ``sentence``, from 0; ``given``, the answer with all sentences; ``p_all`` and ``p_without``, its
        probability in [0, 1] with all sentences and without this one; ``is_needed`` and ``is_support``
    untrained : the same for an untrained model, or None
    """

    rows: pd.DataFrame
    untrained: pd.DataFrame | None
    model: str
    seed: int

    def estimate(self, kind: str = "supporting facts") -> Estimate:
        """Share of needed sentences among "supporting facts" or "other sentences"; interval by story."""
        return _share(self.rows, kind, self.seed)

    def needed(self) -> list[tuple[int, ...]]:
        """For each question, the sentences that its answer needs."""
        return [tuple(some["sentence"][some["is_needed"]]) for _, some in self.rows.groupby("question")]

    def as_supports(self, stories: Stories) -> list[Story | TextStory]:
        """The same stories, with the needed sentences as the supports of their questions.

        Raises
        ------
        UserError
            When the stories have other questions.
        """
        needed, lengths = self.needed(), self.rows.groupby("question").size().tolist()
        asked = [q for story in stories for q in story.questions if q.n_statements]
        if lengths != [question.n_statements for question in asked]:
            raise UserError(
                f"the ablation has {len(needed)} questions and the stories {len(asked)} others; "
                "give the stories that it was measured on"
            )
        support = iter(needed)
        return [
            replace(
                story,
                questions=tuple(
                    replace(q, support=next(support)) if q.n_statements else q for q in story.questions
                ),
            )
            for story in stories
        ]

    def summary(self) -> str:
        """Share of supports, and of other sentences, that are needed; control: an untrained model."""
        n_stories, n_questions = (self.rows[name].nunique() for name in ("story", "question"))
        lines = [
            f"Sentences that answers need in {self.model}: {n_questions} questions of {n_stories} stories, "
            "95 % intervals over stories; without a needed sentence the answer is at most "
            f"{NEEDED_BELOW:.0%} as probable"
        ]
        for kind in KINDS:
            if not (self.rows["is_support"] == KINDS[kind]).any():
                continue
            line = f"{kind} that are needed: {self.estimate(kind).as_share()}"
            if self.untrained is not None:
                line += f"; untrained {_share(self.untrained, kind, self.seed).as_share()}"
            lines.append(line)
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """``rows`` of the model, then of the control."""
        of_models = (self.rows, False), (self.untrained, True)
        marked = [rows.assign(is_control=is_control) for rows, is_control in of_models if rows is not None]
        return pd.concat(marked, ignore_index=True)

    def figure(self) -> go.Figure:
        """Bars of the needed shares of supports and of other sentences, with the control."""
        kinds = [kind for kind, is_support in KINDS.items() if (self.rows["is_support"] == is_support).any()]
        shares = [self.estimate(kind) for kind in kinds]
        value, low, high = (np.array([getattr(s, x) for s in shares]) for x in ("value", "low", "high"))
        controls = {}
        if self.untrained is not None:
            of_control = [_share(self.untrained, kind, self.seed).value for kind in kinds]
            controls["untrained model"] = np.array(of_control)
        names = [f"{kind}<br>that are needed" for kind in kinds]
        return agreement_bars(names, value, low, high, controls)


def ablate_sentences(
    lm: LoadedModel, stories: Stories, *, untrained: LoadedModel | None = None, seed: int = 0
) -> SentenceAblation:
    """Ask every question of the stories again, without each of the sentences before it.

    lm : an LM2, or one of the baselines
    untrained : an untrained model of the same size, as control
    seed : of the intervals

    Raises
    ------
    UserError
        For stories without a question after a sentence, or unknown words.
    """
    rows = _rows(lm, stories)
    of_control = None if untrained is None else _rows(untrained, stories)
    return SentenceAblation(rows, of_control, lm.name, seed)


def answers_without_sentences(
    lm: LoadedModel, sentences: Sequence[str], questions: Sequence[Question]
) -> list[tuple[str, Array]]:
    """The answer to each question, and its probability without each sentence: (n_statements + 1,) in [0, 1].

    The first probability is that with all sentences before the question, the next that without sentence 0,
    and so on.

    Raises
    ------
    UserError
        For unknown words.
    """
    check_words(lm.tokenizer, [*sentences, *(question.text for question in questions)])
    model, device = lm.model, lm.model.device
    ids, mask = (x.to(device) for x in encode_segments(lm.tokenizer, [sentences]))
    query_ids, query_mask = encode_questions(lm, [question.text for question in questions])
    steps_Q = torch.tensor([question.n_statements for question in questions], device=device)
    n_omitted = torch.arange(int(steps_Q.max()) + 1, device=device)  # 0: none; i + 1: sentence i
    masks = mask.repeat(len(n_omitted), 1, 1)
    masks[n_omitted[1:], n_omitted[:-1]] = 0  # an empty segment does not change the memory
    given_Q = torch.empty_like(steps_Q)
    probabilities = torch.empty(len(n_omitted), len(questions))
    for rows in track(n_omitted.split(_ROWS), "reading without a sentence", "part"):
        # Removing sentence i does not affect questions asked before it.
        row, question = (rows[:, None] <= steps_Q).nonzero(as_tuple=True)
        with torch.no_grad():
            memory = model(ids.expand(len(rows), -1, -1), masks[rows]).memory_at(row, steps_Q[question] - 1)
            logits = answer_logits(model, query_ids[question], query_mask[question], memory).float()
        if rows[0] == 0:
            given_Q = logits[row == 0].argmax(-1)
        probability = logits.softmax(-1).gather(1, given_Q[question, None])[:, 0]
        probabilities[rows[row].cpu(), question.cpu()] = probability.cpu()
    words = shown_words(lm.tokenizer, given_Q.tolist())
    return [
        (word, probabilities[: question.n_statements + 1, k].double().numpy())
        for k, (word, question) in enumerate(zip(words, questions, strict=True))
    ]


def record_slot_losses(lm: LoadedModel, trace: Trace, question_trace: Trace) -> Trace:
    """The question trace (``record_questions``), with what each answer loses without each slot.

    ``slot_losses`` of a question: the drop in the answer's log probability, in nats, when the slot is reset;
    negative if it rises.

    trace : the story trace
    """
    (fresh_ND,) = lm.model.new_memory(1).detach()
    slots = torch.arange(len(fresh_ND))
    measured = []
    for asked in track(question_trace.info["asked"], "asking without each slot", "question"):
        bank = trace.select("hook_bank", story=asked["story"], segment=asked["n_statements"] - 1)
        bank_ND = torch.tensor(bank, device=lm.model.device, dtype=lm.model.dtype)
        banks = bank_ND.repeat(1 + len(slots), 1, 1)  # the whole one, then one without each slot
        banks[1 + slots, slots] = fresh_ND
        # One question of many banks: what does not depend on the memory is run once.
        logprobs = ask_banks(lm, [asked["text"]], banks).float().log_softmax(-1)
        given = logprobs[0].argmax()
        measured.append(asked | {"slot_losses": (logprobs[0, given] - logprobs[1:, given]).tolist()})
    return replace(question_trace, info={**question_trace.info, "asked": measured})


def _rows(lm: LoadedModel, stories: Stories) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    question_index = 0
    for b, story in enumerate(track(stories, f"removing sentences, {lm.name}", "story")):
        questions = [question for question in story.questions if question.n_statements]
        for question, (given, p) in zip(
            questions,
            answers_without_sentences(lm, story.sentences, questions) if questions else (),
            strict=True,
        ):
            rows += [
                {
                    "story": b,
                    "question": question_index,
                    "text": question.text,
                    "given": given,
                    "sentence": s,
                    "p_all": p[0],
                    "p_without": p[s + 1],
                    "is_needed": needed,
                    "is_support": s in question.support,
                }
                for s, needed in enumerate(is_needed(p[0], p[1:]).tolist())
            ]
            question_index += 1
    if not rows:
        raise UserError(
            "these stories ask no question after a sentence; give stories with questions, see lm2core.babi"
        )
    return pd.DataFrame(rows)


def _share(rows: pd.DataFrame, kind: str, seed: int) -> Estimate:
    some = rows[rows["is_support"] == KINDS[kind]]
    return mean(some["is_needed"].to_numpy(), groups=some["story"], seed=seed)
