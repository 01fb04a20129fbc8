"""Tokenizers for stories, with or without other text, and padded segments from any tokenizer."""

from collections.abc import Iterable, Sequence

import torch
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from torch import Tensor
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from lm2core.babi.known_words import words_by_kind
from lm2core.errors import UserError

PAD, UNKNOWN = "[PAD]", "[UNK]"
MAX_LISTED = 200  # known words that an error message lists
WORD = Regex(r"\w+(,\w+)*|[^\w\s]")  # a list without spaces is one word: it is one answer


def word_tokenizer(words: Iterable[str]) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are lower-cased words and punctuation marks, ids in sorted order."""
    return _lower_cased(models.WordLevel(_numbered(words), UNKNOWN))


def subword_tokenizer(
    words: Iterable[str], texts: Iterable[str], *, vocab_size: int
) -> PreTrainedTokenizerFast:
    """Train a lower-case WordPiece tokenizer on ``texts`` in which each of ``words`` is one token.

    It has about ``vocab_size`` tokens. Words with a character that occurs in no text are unknown to it.
    """
    pieces = _lower_cased(models.WordPiece(unk_token=UNKNOWN)).backend_tokenizer
    trainer = trainers.WordPieceTrainer(vocab_size=vocab_size, show_progress=False)
    pieces.train_from_iterator(texts, trainer)
    return _lower_cased(models.WordPiece(_numbered([*words, *pieces.get_vocab()]), unk_token=UNKNOWN))


def split_words(texts: Iterable[str]) -> set[str]:
    """The different words and punctuation marks of the texts, as ``word_tokenizer`` would split them."""
    backend = word_tokenizer(()).backend_tokenizer
    split, lower = backend.pre_tokenizer.pre_tokenize_str, backend.normalizer.normalize_str
    return {word for text in texts for word, _ in split(lower(text))}


def _numbered(words: Iterable[str]) -> dict[str, int]:
    """An id for each lower-cased word, in sorted order, after the special tokens."""
    return {word: i for i, word in enumerate([PAD, UNKNOWN, *sorted({word.lower() for word in words})])}


def _lower_cased(model: models.Model) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Split(WORD, "removed", invert=True)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, unk_token=UNKNOWN, clean_up_tokenization_spaces=False
    )


def known_words(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The tokenizer's vocabulary without special tokens, sorted."""
    return sorted(set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens))


def check_is_list(texts: Sequence[object]) -> None:
    """Refuse one text where a list of them is meant: it would be taken letter by letter."""
    if isinstance(texts, str):
        raise UserError(f"sentences must be a list of texts, got one text {texts[:40]!r}; give [text]")


def check_words(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> None:
    """Refuse words that a tokenizer with an unknown token does not know.

    Raises
    ------
    UserError
        For unknown words (listed in order of occurrence, then the known ones by kind), and for a single text.
    """
    check_is_list(texts)
    if tokenizer.unk_token_id is None:
        return
    unknown: dict[str, None] = {}
    for text in texts:
        encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        for token, (start, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
            if token in tokenizer.all_special_ids:
                unknown.setdefault(text[start:end])
    if unknown:
        known = known_words(tokenizer)
        listed = " ".join(known) if len(known) <= MAX_LISTED else f"{len(known):,} words and parts of words"
        listed = words_by_kind(known) or listed
        raise UserError(f"unknown words: {', '.join(unknown)}; this model knows: {listed}")


def answer_tokens(tokenizer: PreTrainedTokenizerBase, answer: str) -> list[int]:
    """Ids of an answer: one, if it is one word or the vocabulary has it as a whole, as for own stories."""
    ids: list[int] = tokenizer(answer, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        whole = tokenizer.convert_tokens_to_ids(answer.lower())
        return ids if whole in (None, tokenizer.unk_token_id) else [whole]
    return ids


def segment_ids(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text as a segment; none for an empty text, so that it leaves the memory as it is."""
    encoded = tokenizer(list(texts), verbose=False)["input_ids"]
    return [ids if text.strip() else [] for ids, text in zip(encoded, texts, strict=True)]


def encode_segments(
    tokenizer: PreTrainedTokenizerBase, stories: Sequence[Sequence[str]]
) -> tuple[Tensor, Tensor]:
    """Ids and mask (B,S,T) of stories whose sentences are the segments, right-padded to the longest.

    A sentence has the tokens that the tokenizer itself begins a text with; an empty one has none at all.
    """
    for texts in (stories, *stories):
        check_is_list(texts)
    n_segments = max((len(story) for story in stories), default=0)
    if n_segments == 0:
        raise UserError("the story is empty; give at least one sentence")
    encoded = iter(segment_ids(tokenizer, [sentence for story in stories for sentence in story]))
    ids = [[next(encoded) for _ in story] for story in stories]
    n_tokens = max(len(sentence) for story in ids for sentence in story)
    padded = torch.zeros(len(stories), n_segments, max(n_tokens, 1), dtype=torch.long)
    mask = torch.zeros_like(padded)
    for b, story in enumerate(ids):
        for s, sentence in enumerate(story):
            padded[b, s, : len(sentence)] = torch.tensor(sentence, dtype=torch.long)
            mask[b, s, : len(sentence)] = 1
    return padded, mask
