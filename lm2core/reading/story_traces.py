"""Traces of more stories than fit in memory, and traces of questions about the stories of a trace."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from tqdm import tqdm

from lm2core.babi.story import Story
from lm2core.babi.text import TextStory
from lm2core.byte_sizes import format_bytes, parse_bytes
from lm2core.errors import UserError
from lm2core.reading.answers import READ_HOOKS, Answer, check_stories, read_stories
from lm2core.reading.continuing import Asked
from lm2core.reading.given_words import encode_questions, given_words, story_question
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import segment_words
from lm2core.text.tokenizer import check_words, segment_ids
from lm2core.traces.array_file import check_room
from lm2core.traces.folder import PART, TraceFolder
from lm2core.traces.hooks import match_hooks
from lm2core.traces.recording import MEMORY_HOOKS, recording, trace_bytes
from lm2core.traces.reductions import WHOLE, Reduction
from lm2core.traces.trace import Trace

PROGRESS_AFTER_S = 2.0


def record_questions(lm: LoadedModel, trace: Trace, *, names: str | Sequence[str] = READ_HOOKS) -> Trace:
    """Ask every question of a story trace at its place in the story, and record what it reads from the bank.

    The axis ``story`` of the result counts questions; ``info["asked"]`` has for each question the ``story``
    it is about, its ``text``, ``answer``, ``support`` and ``n_statements``, and the word ``given`` as answer.
    Questions before the first sentence are skipped.

    Raises
    ------
    UserError
        When the trace has no questions or no ``hook_bank``, or for unknown words.
    """
    story_questions = [
        {"story": b, **question}
        for b, story in enumerate(trace.info.get("stories", ()))
        for question in story["questions"]
        if question["n_statements"]
    ]
    if not story_questions:
        raise UserError("the trace has no questions; record stories with questions, see lm2core.babi")
    if "hook_bank" not in trace.arrays:
        raise UserError("the trace has no hook_bank; record it again with --hooks 'mem.*,hook_bank'")
    trace.check_is_whole("hook_bank")
    texts = [story_question(lm, question["text"]) for question in story_questions]
    check_words(lm.tokenizer, sorted(set(texts)))
    banks = trace.arrays["hook_bank"][
        [question["story"] for question in story_questions],
        [question["n_statements"] - 1 for question in story_questions],
    ]
    model = lm.model
    memory = torch.tensor(banks, device=model.device, dtype=model.dtype)
    ids, mask = encode_questions(lm, texts)
    with recording(model, match_hooks(names, model.config)) as recorder:
        asked = Asked.of(model, ids, mask, memory)
    given = given_words(lm, asked)
    for question, (word, _) in zip(story_questions, given, strict=True):
        question["given"] = word
    words = [[segment_words(lm.tokenizer, text)] for text in texts]
    return recorder.trace(words, {"model": lm.name, "asked": story_questions})


def single_question_trace(answer: Answer, n_statements: int, *, support: Sequence[int] = ()) -> Trace:
    """The trace of a single question (``ask``) in the form that ``record_questions`` returns.

    n_statements : the number of sentences of story 0 before the question
    support : indices of the sentences that its true answer needs, if they are known
    """
    question = {
        "story": 0,
        "text": answer.trace.info["question"],
        "answer": None,
        "support": list(support),
        "n_statements": n_statements,
        "given": answer.words[0],
    }
    return replace(answer.trace, info={**answer.trace.info, "asked": [question]})


def record_to(
    folder: str | Path,
    lm: LoadedModel,
    stories: Sequence[Story | TextStory],
    *,
    names: str | Sequence[str] = MEMORY_HOOKS,
    reduce: Reduction = WHOLE,
    budget: str = "512MB",
) -> TraceFolder:
    """Record stories into a new or empty folder, in parts that each fit the budget.

    All or nothing: parts are kept in a hidden subfolder until the last one is written.

    reduce : what is kept of each tensor; see ``capture``

    Raises
    ------
    UserError
        As ``read_stories``; when the folder is not empty or cannot be written, a single story exceeds the
        budget, or all of them the room on the disk.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        has = "already has traces" if any(folder.glob("part-*")) else "is not empty"
        raise UserError(f"{folder} {has}; choose an empty folder")
    check_stories(lm, stories)
    chosen = match_hooks(names, lm.model.config)
    parts = list(_parts(lm, stories, chosen, reduce, budget))
    about = {"n_parts": len(parts)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = TemporaryDirectory(prefix=".unfinished-", dir=folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}; choose another folder") from None
    bar = tqdm(parts, desc="recording", unit="part", delay=PROGRESS_AFTER_S, disable=None)
    with unfinished as name:
        check_room(folder, _n_bytes(lm, parts, chosen, reduce))
        for i, part in enumerate(bar):
            file = Path(name) / PART.format(i)
            read_stories(lm, part, names=chosen, reduce=reduce, budget=budget, to=file, info=about)
        try:
            for file in sorted(Path(name).iterdir()):
                file.rename(folder / file.name)
        except OSError as error:
            raise UserError(f"cannot write {folder}: {error.strerror}; choose another folder") from None
    return TraceFolder(folder)


def recorded_bytes(
    lm: LoadedModel,
    stories: Sequence[Story | TextStory],
    *,
    names: str | Sequence[str] = MEMORY_HOOKS,
    reduce: Reduction = WHOLE,
    budget: str = "512MB",
) -> int:
    """Bytes of the arrays that ``record_to`` will write; a UserError as there, for stories and budget."""
    check_stories(lm, stories)
    chosen = match_hooks(names, lm.model.config)
    return _n_bytes(lm, _parts(lm, stories, chosen, reduce, budget), chosen, reduce)


def _n_bytes(
    lm: LoadedModel, parts: Iterable[Sequence[Story | TextStory]], names: Sequence[str], reduce: Reduction
) -> int:
    return sum(trace_bytes(lm.model, (len(part), *_longest(lm, part)), names, reduce) for part in parts)


def _longest(lm: LoadedModel, stories: Sequence[Story | TextStory]) -> tuple[int, int]:
    """The most sentences of a story, and the most tokens of a sentence."""
    sentences = {sentence for story in stories for sentence in story.sentences}
    return max(len(story.sentences) for story in stories), max(
        len(lm.tokenizer.tokenize(sentence)) for sentence in sentences
    )


def _parts(
    lm: LoadedModel,
    stories: Sequence[Story | TextStory],
    names: Sequence[str],
    reduce: Reduction,
    budget: str,
) -> Iterator[Sequence[Story | TextStory]]:
    """Parts of consecutive stories that fit the budget when padded to the longest of them."""
    part: list[Story | TextStory] = []
    longest = (0, 0)
    allowed = parse_bytes(budget)
    n_tokens = {
        sentence: len(segment_ids(lm.tokenizer, [sentence])[0])
        for story in stories
        for sentence in story.sentences
    }
    for i, story in enumerate(stories, start=1):
        size = len(story.sentences), max(n_tokens[sentence] for sentence in story.sentences)
        alone = trace_bytes(lm.model, (1, *size), names, reduce)
        if alone > allowed:
            raise UserError(
                f"the trace of story {i} alone would take {format_bytes(alone)}, but the budget is {budget}; "
                "use fewer hooks or raise the budget"
            )
        padded = max(longest[0], size[0]), max(longest[1], size[1])
        if part and trace_bytes(lm.model, (len(part) + 1, *padded), names, reduce) > allowed:
            yield part
            part, padded = [], size
        part.append(story)
        longest = padded
    if part:
        yield part
