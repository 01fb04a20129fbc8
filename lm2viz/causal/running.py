"""Read stories while their memory is edited, and ask their questions.

Axes: those of interventions.py, Q question, V word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lm2core.babi.story import Question, Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import encode_questions
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import has_parts_of_words, shown_words
from lm2core.text.tokenizer import answer_tokens, check_words, encode_segments
from lm2core.traces.recording import hooked
from lm2viz.causal.editing import Hook, Intervention, RunContext, as_list, needs_reference
from lm2viz.progress import counting_sentences

Stories = Sequence[Story | TextStory]


@dataclass(frozen=True, slots=True)
class Run:
    """Stories that were read, and their questions, except those asked before any sentence.

    banks : (B,S,N,D), after each sentence; shorter stories repeat their last, unless it is edited further
    logits : (Q,V)
    story, step : (Q,), the story of each question, and the number of sentences read before it
    words, answers : (Q,), the model's answers and the right ones; where a model has parts of words, their
        first tokens
    answer_ids : (Q,), token ids of these
    question_edits : hooks active while the questions were asked, of edits that act on questions only
    """

    banks: Tensor
    logits: Tensor
    story: NDArray[np.int_]
    step: NDArray[np.int_]
    words: tuple[str, ...]
    answers: tuple[str, ...]
    answer_ids: Tensor
    question_edits: tuple[Hook, ...]

    @property
    def question_banks(self) -> Tensor:
        """The bank (Q,N,D) that each question was asked of."""
        return self.banks[torch.as_tensor(self.story), torch.as_tensor(self.step - 1)]


def run(
    lm: LoadedModel,
    stories: Stories,
    interventions: Intervention | Sequence[Intervention] = (),
    *,
    reference: Tensor | None = None,
) -> Run:
    """Read the stories in one batch while the memory is edited, and ask their questions.

    reference : unedited banks (R,S,N,D) that ``Mean``, ``Resample`` and ``Swap`` take contents from, such as
        ``run(lm, others).banks``; None: those of the same stories

    Raises
    ------
    UserError
        For no stories or questions, unknown words, answers that are not one word, or interventions that
        do not fit the model or the stories.
    """
    interventions = as_list(interventions)
    story_questions, answer_ids = _questions(lm, stories)
    context = _run_context(lm, stories, interventions, reference)
    model = lm.model
    ids, mask = encode_segments(lm.tokenizer, [story.sentences for story in stories])
    edits, of_questions = (
        [hook for edit in interventions if edit.propagates is reaches for hook in edit.hooks(context)]
        for reaches in (True, False)
    )
    with hooked(model, [*edits, ("hook_bank", context.tick)]), counting_sentences(model, context.n_steps):
        out = model(ids.to(model.device), mask.to(model.device))
    banks = torch.stack(out.memory_per_segment, dim=1)
    story, step = np.array([(b, q.n_statements) for b, q in story_questions]).T
    logits = ask_banks(lm, [q.text for _, q in story_questions], out.memory_at(story, step - 1), of_questions)
    words, answers = (
        tuple(shown_words(lm.tokenizer, ids.tolist())) for ids in (logits.argmax(-1), answer_ids)
    )
    return Run(banks, logits, story, step, words, answers, answer_ids.to(logits.device), tuple(of_questions))


def read_banks(lm: LoadedModel, stories: Stories) -> Tensor:
    """The unedited banks (B,S,N,D) after each sentence, as in ``Run``; no question is asked."""
    ids, mask = (
        x.to(lm.model.device) for x in encode_segments(lm.tokenizer, [story.sentences for story in stories])
    )
    with hooked(lm.model, []):
        return torch.stack(lm.model(ids, mask).memory_per_segment, dim=1)


def check_edits(lm: LoadedModel, stories: Stories, interventions: Sequence[Intervention]) -> None:
    """Refuse, with a UserError as ``run`` without a reference, before anything is read."""
    _questions(lm, stories)
    (fresh_ND,) = lm.model.new_memory(1).detach()
    n_steps = max(len(story.sentences) for story in stories)
    as_many_RSND = fresh_ND.expand(len(stories), 1, -1, -1)
    _check_fits(interventions, RunContext(lm.model.config, fresh_ND, as_many_RSND, True, n_steps))


def question_texts(stories: Stories) -> list[str]:
    """The questions that ``run`` asks, in its order."""
    return [question.text for _, question in _questions_with_story(stories)]


def _questions_with_story(stories: Stories) -> list[tuple[int, Question]]:
    """The questions with the indices of their stories, except those asked before any sentence."""
    return [(b, q) for b, story in enumerate(stories) for q in story.questions if q.n_statements]


def _questions(lm: LoadedModel, stories: Stories) -> tuple[list[tuple[int, Question]], Tensor]:
    """The questions with the indices of their stories, and the token ids of their answers."""
    if isinstance(stories, Story | TextStory):
        raise UserError("stories must be a list, got one story; give [story]")
    story_questions = _questions_with_story(stories)
    if not story_questions:
        raise UserError(
            "these stories ask no question after a sentence; give stories with questions, see lm2core.babi"
        )
    answers = [q.answer for _, q in story_questions]
    texts = [
        *(s for story in stories for s in story.sentences),
        *(q.text for _, q in story_questions),
        *answers,
    ]
    check_words(lm.tokenizer, list(dict.fromkeys(texts)))
    answer_ids = [answer_tokens(lm.tokenizer, answer) for answer in answers]
    long = [answer for answer, ids in zip(answers, answer_ids, strict=True) if len(ids) != 1]
    if long and not has_parts_of_words(lm.tokenizer):
        raise UserError(
            f"the answer {long[0]!r} is not a single token of this model; use stories with one-word answers"
        )
    return story_questions, torch.tensor([ids[0] for ids in answer_ids])


def _run_context(
    lm: LoadedModel, stories: Stories, interventions: Sequence[Intervention], reference: Tensor | None
) -> RunContext:
    is_self_reference = reference is None
    model = lm.model
    (fresh_ND,) = model.new_memory(1).detach()
    if reference is None:
        reference = read_banks(lm, stories) if needs_reference(interventions) else fresh_ND[None, None]
    elif reference.shape[2:] != fresh_ND.shape:
        raise UserError(
            f"reference banks of shape {tuple(reference.shape)} do not fit banks of shape "
            f"{tuple(fresh_ND.shape)}; use run(lm, stories).banks of the same model"
        )
    n_steps = max(len(story.sentences) for story in stories)
    context = RunContext(model.config, fresh_ND, reference, is_self_reference, n_steps)
    _check_fits(interventions, context)
    return context


def ask_banks(
    lm: LoadedModel,
    texts: Sequence[str],
    banks_QND: Tensor,
    hooks: Sequence[Hook] = (),
) -> Tensor:
    """Logits (Q,V) of questions, each asked of its bank."""
    ids, mask = encode_questions(lm, texts)
    with hooked(lm.model, hooks):
        return answer_logits(lm.model, ids, mask, banks_QND)


def _check_fits(interventions: Sequence[Intervention], context: RunContext) -> None:
    """Refuse interventions that do not fit the model or the stories.

    Raises
    ------
    UserError
        For slots, blocks, steps, reference stories or widths that do not exist; for positional routing.
    """
    if context.config.routing == "positional":
        raise UserError("slots of positional routing are token positions; use a model with routing='content'")
    for edit in interventions:
        edit.check_fits(context)
