"""Background text with an exact number of tokens: consecutive sentences, the last one cut."""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from transformers import PreTrainedTokenizerBase

from lm2core.babilong.background_text import Noise
from lm2core.errors import UserError

BATCH = 1_000  # sentences counted at a time


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Consecutive sentences of a cyclic text; the last one is replaced by its beginning, ``last``."""

    sentences: Sequence[str]
    start: int
    n_sentences: int
    last: str

    def __iter__(self) -> Iterator[str]:
        for i in range(self.n_sentences - 1):
            yield self.sentences[(self.start + i) % len(self.sentences)]
        if self.n_sentences:
            yield self.last


class Background:
    """Noise with the number of tokens of every sentence, counted once.

    Parameters
    ----------
    noise : Noise or None
        None for no background.
    tokenizer : PreTrainedTokenizerBase
        Must give offsets, as all "fast" tokenizers do.
    """

    def __init__(self, noise: Noise | None, tokenizer: PreTrainedTokenizerBase) -> None:
        self._noise, self._tokenizer = noise, tokenizer
        self._sentences: Sequence[str] = noise.sentences if noise else ()
        self._ends = array("q", [0])  # tokens up to each sentence
        for start in range(0, len(self._sentences), BATCH):
            for n in self._counts(self._sentences[start : start + BATCH]):
                self._ends.append(self._ends[-1] + n)

    @property
    def n_sentences(self) -> int:
        """Number of sentences."""
        return len(self._sentences)

    @property
    def n_tokens(self) -> int:
        """Number of tokens in all sentences."""
        return self._ends[-1]

    def count(self, texts: Sequence[str]) -> int:
        """Number of tokens in ``texts``, each tokenized by itself."""
        return sum(self._counts(texts))

    def excerpt(self, start: int, n_tokens: int) -> Excerpt:
        """``n_tokens`` tokens from sentence ``start`` on; the first sentence follows the last.

        Raises a UserError when the text has fewer tokens, since no sentence is used twice.
        """
        if n_tokens > self.n_tokens:
            where = f"{self._noise.source} ({self._noise.split} share)" if self._noise else "no noise"
            raise UserError(
                f"the noise is too short: a sample needs {n_tokens:,} tokens, {where} has "
                f"{self.n_tokens:,}; give more text or a shorter length"
            )
        if n_tokens == 0:
            return Excerpt(self._sentences, start, 0, "")
        end = (self._ends[start] + n_tokens - 1) % self.n_tokens + 1  # where the last token ends
        last = bisect_left(self._ends, end) - 1
        n_sentences = (last - start) % self.n_sentences + 1
        return Excerpt(self._sentences, start, n_sentences, self._cut(last, end - self._ends[last]))

    def _counts(self, texts: Sequence[str]) -> Iterator[int]:
        if texts:
            encoded = self._tokenizer(list(texts), add_special_tokens=False, verbose=False)
            yield from map(len, encoded["input_ids"])

    def _cut(self, sentence: int, n_tokens: int) -> str:
        """The first tokens of a sentence."""
        text = self._sentences[sentence]
        encoded = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        return text[: encoded["offset_mapping"][n_tokens - 1][1]]
