"""Ask a model about texts of any length: they are read in chunks, and only the memory is passed on.

Axes: see memory.py, plus S segments of a chunk.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedTokenizerBase

from lm2core.babi.story import Question
from lm2core.babi.text import TextStory
from lm2core.babilong.samples import BabiLongSample
from lm2core.babilong.scoring import answer_words, as_part, as_word, names_label
from lm2core.english.openings import as_prompt, opening_of
from lm2core.errors import UserError
from lm2core.evaluation.stories import Score, score
from lm2core.reading.continuing import answer_logits
from lm2core.reading.given_words import greedy_answers
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import has_parts_of_words
from lm2core.text.tokenizer import check_words, segment_ids

SEGMENTS = ("sentences", "tokens")
CHUNK = 64  # segments of each text read at a time
BATCH = 16  # texts read in one batch
WHOLE_TEXT_SEGMENT = 8  # tokens, for a model without segments: attention over a chunk must fit in memory
UNKNOWN_SENTENCES = 100  # of a text's background, checked for unknown words
MOST_UNKNOWN = 0.1  # share of their tokens that may be unknown

Ids = list[int]


@dataclass(frozen=True, slots=True)
class LongScore:
    """Shares of correct answers in [0, 1]: by exact match, and by the published label sets.

    exact : exact match of the answer's words; the floor ``last_mentioned`` uses the facts only, if known
    label_set : the published metric
    label_words : the same metric with labels as whole words
    """

    exact: Score
    label_set: float
    label_words: float


def predict_long(
    lm: LoadedModel,
    samples: Sequence[BabiLongSample],
    *,
    segments: str = "sentences",
    question_first: bool = False,
    on_read: Callable[[int], object] | None = None,
) -> list[str]:
    """The model's answer to every sample's question, asked after the text without changing the memory.

    An answer is the likeliest token; if an answer takes several tokens, as many greedy tokens as the longest.
    With a tokenizer that has parts of words, and questions with openings (lm2core/english/openings.py),
    it is the word that continues the opening.

    Parameters
    ----------
    samples : best of similar length, because a batch takes as long as its longest text
    segments : "sentences": one segment per sentence, cut if longer than ``config.segment_length``;
        "tokens": text and question without regard to sentences, cut every ``config.segment_length`` tokens.
        Makes no difference to a model that sees the whole text.
    question_first : also read the question before the text
    on_read : called with the number of tokens after each chunk

    Raises
    ------
    UserError
        For facts or questions with unknown words, and for background that the tokenizer cannot read.
    """
    if segments not in SEGMENTS:
        raise UserError(f"unknown segments {segments!r}; known: {', '.join(SEGMENTS)}")
    _check_known(lm, samples)
    n_new = _answer_length(lm.tokenizer, samples)
    has_openings = has_parts_of_words(lm.tokenizer) and all(opening_of(s.question) for s in samples)
    asked = [replace(s, question=as_prompt(s.question)) for s in samples] if has_openings else samples
    answers = [""] * len(samples)
    order = sorted(range(len(samples)), key=lambda i: samples[i].n_tokens or 0)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        streams = [_segments(lm, asked[i], segments, question_first) for i in chosen]
        memory, question_ids = _read(lm.model.eval(), streams, on_read)
        if has_openings:
            ids_Q1T, mask_Q1T = _padded([[ids] for ids in question_ids], lm.model.device)
            given = [word for word, _ in greedy_answers(lm, ids_Q1T[:, 0], mask_Q1T[:, 0], memory)]
        else:
            given = _answer(lm, question_ids, memory, n_new)
        for i, answer in zip(chosen, given, strict=True):
            answers[i] = answer
    return answers


def score_long(samples: Sequence[BabiLongSample], answers: Sequence[str]) -> LongScore:
    """Compare answers with those of the samples."""
    exact = score([_story(s) for s in samples], [[",".join(answer_words(answer))] for answer in answers])

    def share(find: Callable[[str, str], bool]) -> float:
        pairs = zip(samples, answers, strict=True)
        return sum(names_label(a, s.answer, s.question, s.task, find=find) for s, a in pairs) / len(samples)

    return LongScore(exact, share(as_part), share(as_word))


def _story(sample: BabiLongSample) -> TextStory:
    """The facts with the question; the whole text if the sample's facts are not known."""
    sentences = sample.facts or tuple(piece.text for piece in sample.pieces)
    return TextStory(sentences, (Question(sample.question, sample.answer, (), len(sentences)),))


def _segments(lm: LoadedModel, sample: BabiLongSample, segments: str, question_first: bool) -> Iterator[Ids]:
    """The segments of a sample in order; the last one ends with the question and is not written."""
    length = getattr(lm.model.config, "segment_length", None)
    first = [sample.question] if question_first else []
    texts = chain(first, (piece.text for piece in sample.pieces))
    if segments == "sentences" and length is not None:
        sentences = (segment_ids(lm.tokenizer, [text])[0] for text in texts)
        return chain(_cut(sentences, length), segment_ids(lm.tokenizer, [sample.question]))
    between = " " if segments == "tokens" else ""
    return _straight(_encoded(lm, chain(texts, [sample.question]), between), length or WHOLE_TEXT_SEGMENT)


def _encoded(lm: LoadedModel, texts: Iterable[str], between: str = "") -> Iterator[Ids]:
    """The ids of each text; all but the first are preceded by ``between``."""
    return (_encode(lm.tokenizer, between * bool(i) + text) for i, text in enumerate(texts))


def _cut(encoded: Iterable[Ids], length: int) -> Iterator[Ids]:
    """Each text by itself, cut into parts of at most ``length``."""
    return (ids[i : i + length] for ids in encoded for i in range(0, len(ids), length))


def _straight(encoded: Iterable[Ids], length: int) -> Iterator[Ids]:
    """All texts joined and cut every ``length`` ids; the last part is never empty."""
    buffer: Ids = []
    for ids in encoded:
        buffer += ids
        while len(buffer) > length:
            yield buffer[:length]
            buffer = buffer[length:]
    yield buffer


def _encode(tokenizer: PreTrainedTokenizerBase, text: str) -> Ids:
    return tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]


@torch.no_grad()
def _read(
    model: Any, streams: Sequence[Iterator[Ids]], on_read: Callable[[int], object] | None
) -> tuple[Any, list[Ids]]:
    """The memory after all segments but the last of each text, and these last ones."""
    memory = None
    ahead = [list(islice(stream, CHUNK + 1)) for stream in streams]
    while any(len(segments) > 1 for segments in ahead):
        ids_BST, mask_BST = _padded([segments[:-1] for segments in ahead], model.device)
        is_full = bool(mask_BST.all())
        memory = model(ids_BST, None if is_full else mask_BST, memory, logits_to_keep=1).memory
        if on_read is not None:
            on_read(int(mask_BST.sum()))
        ahead = [
            [*segments[-1:], *islice(stream, CHUNK)] for segments, stream in zip(ahead, streams, strict=True)
        ]
    return memory, [segments[0] for segments in ahead]


@torch.no_grad()
def _answer(lm: LoadedModel, question_ids: Sequence[Ids], memory: Any, n_new: int) -> list[str]:
    """Greedy continuation of each question by ``n_new`` tokens, up to the end-of-text token."""
    new_ids: list[Ids] = [[] for _ in question_ids]
    for _ in range(n_new):
        ids_Q1T, mask_Q1T = _padded(
            [[before + new] for before, new in zip(question_ids, new_ids, strict=True)], lm.model.device
        )
        best = answer_logits(lm.model, ids_Q1T[:, 0], mask_Q1T[:, 0], memory).argmax(-1)
        for new, token in zip(new_ids, best.tolist(), strict=True):
            new.append(token)
    end = lm.tokenizer.eos_token_id
    return [lm.tokenizer.decode(new[: new.index(end)] if end in new else new) for new in new_ids]


def _padded(texts: Sequence[Sequence[Ids]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Ids and mask (B,S,T); texts with fewer segments are padded with empty ones at the end."""
    n_segments = max(map(len, texts))
    rows = [segment for text in texts for segment in (*text, *[[]] * (n_segments - len(text)))]
    ids = pad_sequence([torch.tensor(row, dtype=torch.long) for row in rows], batch_first=True)
    mask = pad_sequence([torch.ones(len(row), dtype=torch.long) for row in rows], batch_first=True)
    ids_BST, mask_BST = (x.unflatten(0, (len(texts), n_segments)).to(device) for x in (ids, mask))
    return ids_BST, mask_BST


def _answer_length(tokenizer: PreTrainedTokenizerBase, samples: Sequence[BabiLongSample]) -> int:
    """Tokens of the longest answer, with or without a leading space."""
    return max(len(_encode(tokenizer, space + s.answer)) for s in samples for space in ("", " "))


def _check_known(lm: LoadedModel, samples: Sequence[BabiLongSample]) -> None:
    """Refuse unknown words in facts and questions, and background with too many unknown tokens."""
    check_words(lm.tokenizer, sorted({text for s in samples for text in (s.question, *s.facts)}))
    unknown = lm.tokenizer.unk_token_id
    for sample in samples[:1]:
        background = (piece.text for piece in sample.pieces if piece.fact is None)
        ids = [i for text in islice(background, UNKNOWN_SENTENCES) for i in _encode(lm.tokenizer, text)]
        share = ids.count(unknown) / len(ids) if ids and unknown is not None else 0
        if share > MOST_UNKNOWN:
            raise UserError(
                f"the tokenizer of {lm.name} does not know {share:.0%} of the background text of "
                f"{sample.task} at {sample.length}, because it was made for stories only; use length 0k, or "
                "a model trained with noise"
            )
