"""Ask a model about a story: read it sentence by sentence, keep every bank, and answer from one of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lm2core.babi.known_facts import known_facts, parse_facts
from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.continuing import Asked, CachedAsked, answer_logits
from lm2core.reading.given_words import (
    ask_questions,
    encode_questions,
    given_words,
    greedy_answers,
    questions_at_once,
    typed_question,
)
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import segment_words, shown_words
from lm2core.text.tokenizer import check_is_list, check_words, encode_segments
from lm2core.traces.fingerprint import fingerprint
from lm2core.traces.hooks import match_hooks
from lm2core.traces.recording import MEMORY_HOOKS, capture, recording
from lm2core.traces.reductions import WHOLE, Reduction
from lm2core.traces.trace import Trace

# What a question reads from the bank, and how the read enters the stream.
READ_HOOKS = ("mem.hook_read_pattern", "mem.hook_read", "mem.hook_gate_out", "hook_mem_out")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a model.

    words, probabilities : the whole vocabulary, most likely first; probabilities in [0, 1] sum to 1. With a
        tokenizer that has parts of words, the answer and then what else it could have begun with: see
        ``ranked_words``
    trace : what the question read from the bank: one story, one segment
    """

    words: tuple[str, ...]
    probabilities: tuple[float, ...]
    trace: Trace


def read_story(
    lm: LoadedModel,
    sentences: Sequence[str],
    *,
    names: str | Sequence[str] = MEMORY_HOOKS,
    reduce: Reduction = WHOLE,
    budget: str = "512MB",
    to: str | Path | None = None,
) -> Trace:
    """Run one story without questions; see ``read_stories``."""
    check_is_list(sentences)
    return read_stories(
        lm, [TextStory(tuple(sentences), ())], names=names, reduce=reduce, budget=budget, to=to
    )


def read_stories(
    lm: LoadedModel,
    stories: Sequence[Story | TextStory],
    *,
    names: str | Sequence[str] = MEMORY_HOOKS,
    reduce: Reduction = WHOLE,
    budget: str = "512MB",
    to: str | Path | None = None,
    info: Mapping[str, Any] | None = None,
) -> Trace:
    """Run stories as one batch, one segment per sentence, and record their memory.

    ``info["stories"]`` has for each story its ``sentences``, its ``questions``, and the ``facts`` known after
    each sentence as ``{name: (value, since)}``, or None if a sentence fits no task. Shorter stories end with
    empty segments, which change nothing and have no ``tokens``.

    reduce, budget, to : see ``capture``
    info : JSON values that the trace says of itself too

    Raises
    ------
    UserError
        As ``check_stories``; for a trace over the budget; with positional routing, when the longest sentence
        does not have as many tokens as there are slots.
    """
    check_stories(lm, stories)
    stories_sentences = [story.sentences for story in stories]
    ids, mask = encode_segments(lm.tokenizer, stories_sentences)
    config = lm.model.config
    if config.routing == "positional" and ids.shape[-1] != config.memory_slots:
        raise UserError(
            f"positional routing needs one token per slot, but the longest sentence has "
            f"{ids.shape[-1]} tokens for {config.memory_slots} slots; use a model with routing='content'"
        )
    return capture(
        lm.model,
        ids,
        mask,
        names=names,
        reduce=reduce,
        budget=budget,
        to=to,
        tokens=[
            [segment_words(lm.tokenizer, sentence) for sentence in sentences]
            for sentences in stories_sentences
        ],
        info={"model": lm.name, "stories": [_truth(story) for story in stories], **(info or {})},
    )


def check_stories(lm: LoadedModel, stories: Sequence[Story | TextStory]) -> None:
    """Refuse stories that cannot be read, before reading any.

    Raises
    ------
    UserError
        For no story, an argument that is no list, a story without sentences, and unknown words (listed
        with the known ones).
    """
    if isinstance(stories, Story | TextStory):
        raise UserError("stories must be a list, got one story; give [story]")
    if not stories:
        raise UserError("there is no story to read; give at least one")
    for i, story in enumerate(stories, start=1):
        if not story.sentences:
            where = f" {i} of {len(stories)}" if len(stories) > 1 else ""
            raise UserError(f"the story{where} is empty; give it at least one sentence")
    stories_sentences = sorted({sentence for story in stories for sentence in story.sentences})
    check_words(lm.tokenizer, stories_sentences)


def _truth(story: Story | TextStory) -> dict[str, Any]:
    return {
        "sentences": list(story.sentences),
        "facts": known_facts(story.statements) if isinstance(story, Story) else parse_facts(story.sentences),
        "questions": [asdict(question) for question in story.questions],
    }


def bank_after(trace: Trace, n_sentences: int, model: LM2ForCausalLM, *, story: int | None = None) -> Tensor:
    """The bank (1,N,D) of a recorded story after its first ``n_sentences``; 0 gives a fresh bank.

    story : its index in the trace; may be omitted if there is only one

    Raises
    ------
    UserError
        If the trace was recorded with other weights, has several stories and ``story`` is not given, or
        has no such story or sentence.
    """
    if trace.info.get("weights", (own := fingerprint(model))) != own:
        raise UserError(
            f"the trace was recorded with other weights ({trace.info['weights']}) than this model's ({own}); "
            "record the story again with this model"
        )
    n_stories = len(trace.tokens)
    if story is None and n_stories > 1:
        raise UserError(f"the trace has {n_stories} stories; choose one, story=0 to story={n_stories - 1}")
    story = story or 0
    if not 0 <= story < n_stories:
        raise UserError(f"no story {story} in this trace; it has 0..{n_stories - 1}")
    if not 0 <= n_sentences <= len(trace.tokens[story]):
        raise UserError(
            f"no bank after {n_sentences} sentences: the story has {len(trace.tokens[story])}; give 0 (a "
            "fresh "
            f"bank) to {len(trace.tokens[story])}"
        )
    if n_sentences == 0:
        return model.new_memory(1)
    trace.check_is_whole("hook_bank")
    bank = trace.select("hook_bank", story=story, segment=n_sentences - 1)
    return torch.tensor(bank, device=model.device, dtype=model.dtype)[None]


def all_banks(trace: Trace, model: LM2ForCausalLM) -> Tensor:
    """The banks (S+1,N,D) of a recorded story, fresh and after each sentence; raises as ``bank_after``."""
    return torch.cat([bank_after(trace, n, model) for n in range(len(trace.tokens[0]) + 1)])


def memory_after(lm: LoadedModel, sentences: Sequence[str], memory: Any = None) -> Any:
    """The memory after a story, one segment per sentence; raises a UserError as ``read_story``.

    memory : read on from it; None: from a fresh one
    """
    check_words(lm.tokenizer, sentences)
    ids, mask = (x.to(lm.model.device) for x in encode_segments(lm.tokenizer, [sentences]))
    with torch.no_grad():
        return lm.model(ids, mask, memory).memory


def ranked_words(lm: LoadedModel, question: str, memory: Any) -> list[tuple[str, float]]:
    """The vocabulary by its probability as the answer to ``question``, given the ``memory`` of one story.

    With a tokenizer that has parts of words, the first is the word that the model gives, with the product of
    the probabilities of its tokens; the others are tokens that it could have begun with.

    Raises
    ------
    UserError
        For an empty question, unknown words, or a bank with values that are not finite; where an answer may
        have several tokens, also for a question in none of the forms of lm2core.english.phrasings.
    """
    ids, mask = _encoded(lm, question, memory)
    with torch.no_grad():
        (ranked,) = _ranked(lm, ask_questions(lm, ids, mask, memory))
    return ranked


def _encoded(lm: LoadedModel, question: str, memory: Any) -> tuple[Tensor, Tensor]:
    """Ids and mask (1,T) of one question, which can be asked of this memory."""
    text = typed_question(lm, question)
    if isinstance(memory, Tensor) and not memory.isfinite().all():
        raise UserError(
            f"{int((~memory.isfinite()).sum())} of {memory.numel()} values of the bank are NaN or infinite: "
            "there is no answer; look in the trace's hook_bank after which sentence they begin"
        )
    check_words(lm.tokenizer, [text])
    return encode_questions(lm, [text])


def _ranked(
    lm: LoadedModel, asked: Asked | CachedAsked, n_words: int | None = None
) -> list[list[tuple[str, float]]]:
    """For each question the word given to it, and what else the logits after it say: ``n_words``, or all."""
    probability_QV = asked.logits_QV.float().softmax(-1)
    probability_QV, order_QV = probability_QV.topk(
        min(n_words or len(probability_QV[0]), len(probability_QV[0]))
    )
    ranked = []
    for given, probability, order in zip(given_words(lm, asked), probability_QV, order_QV, strict=True):
        _, *others = zip(shown_words(lm.tokenizer, order.tolist()), probability.tolist(), strict=True)
        ranked.append([given, *others])
    return ranked


def answers_by_step(lm: LoadedModel, sentences: Sequence[str], question: str) -> list[tuple[str, float]]:
    """The most likely answer to ``question`` and its probability after 0, 1, ... and all of the sentences.

    For an LM2 or a baseline. Raises a UserError as ``ranked_words`` and ``read_story``.
    """
    text = typed_question(lm, question)
    check_is_list(sentences)
    check_words(lm.tokenizer, [*sentences, text])
    model = lm.model
    # An empty first sentence leaves a fresh memory.
    ids, mask = (x.to(model.device) for x in encode_segments(lm.tokenizer, [("", *sentences)]))
    query_ids, query_mask = encode_questions(lm, [text])
    given: list[tuple[str, float]] = []
    with torch.no_grad():
        read = model(ids, mask, logits_to_keep=1)
        all_steps = torch.arange(len(sentences) + 1, device=model.device)
        for steps in all_steps.split(questions_at_once(lm, query_ids.shape[1])):
            memory = read.memory_at(torch.zeros_like(steps), steps)
            many_ids, many_mask = (x.expand(len(steps), -1) for x in (query_ids, query_mask))
            given += greedy_answers(lm, many_ids, many_mask, memory)
    return given


def ask(lm: LoadedModel, question: str, bank: Tensor) -> Answer:
    """Answer ``question`` from ``bank`` (1,N,D) of an LM2 and record what it reads; see ``ranked_words``."""
    (ranked,), trace = ask_each(lm, question, bank)
    words, probabilities = zip(*ranked, strict=True)
    return Answer(words, probabilities, trace)


def ask_each(
    lm: LoadedModel, question: str, banks: Tensor, *, n_words: int | None = None
) -> tuple[list[list[tuple[str, float]]], Trace]:
    """Ask one question of many ``banks`` (B,N,D) in one batch: as ``ask``, but much faster than one by one.

    Returns what ``ranked_words`` gives for each, the first ``n_words`` of it (None: all), and one trace,
    whose axis ``story`` counts the banks.
    """
    ids, mask = _encoded(lm, question, banks)
    with torch.no_grad(), recording(lm.model, match_hooks(READ_HOOKS, lm.model.config)) as recorder:
        logits = answer_logits(lm.model, ids, mask, banks)
    many_ids, many_mask = (x.expand(len(banks), -1) for x in (ids, mask))
    asked = Asked(lm.model, many_ids, many_mask, banks, logits)
    text = typed_question(lm, question)
    tokens = [[segment_words(lm.tokenizer, text)]] * len(banks)
    return _ranked(lm, asked, n_words), recorder.trace(tokens, {"model": lm.name, "question": text})
