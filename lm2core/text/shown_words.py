"""Tokens as people read them: words and parts of words, never the letters that stand for bytes."""

from collections.abc import Iterable, Sequence

from transformers import PreTrainedTokenizerBase

from lm2core.text.tokenizer import segment_ids

START = "(start)"


def has_parts_of_words(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a word may be several tokens, joined without a space: not so for the tokenizers of stories."""
    return tokenizer.backend_tokenizer.decoder is not None


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Iterable[int]) -> list[str]:
    """The text that each id stands for, with its leading space; "" for special tokens.

    For tokenizers that have parts of words. An incomplete character is "\ufffd".
    """
    special = set(tokenizer.all_special_ids)
    decode, tokens = tokenizer.backend_tokenizer.decoder.decode, tokenizer.convert_ids_to_tokens
    # An "x" before it, because decoders drop the space at the beginning of a text.
    return ["" if i in special else decode(["x", tokens(i)])[1:] for i in map(int, ids)]


def shown_words(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """A text for each id without spaces around it; spaces alone as "\u2423", special tokens by name."""
    tokens: list[str] = tokenizer.convert_ids_to_tokens(list(ids))
    if not has_parts_of_words(tokenizer):
        return tokens
    texts = token_texts(tokenizer, ids)
    spaces = (repr(text)[1:-1].replace(" ", "\u2423") for text in texts)
    return [text.strip() or space or token for text, space, token in zip(texts, spaces, tokens, strict=True)]


def segment_words(tokenizer: PreTrainedTokenizerBase, text: str) -> list[str]:
    """What is shown for each token of a text that ``encode_segments`` makes a segment of.

    A special token that begins it, as those of language models do, is ``START``.
    """
    (ids,) = segment_ids(tokenizer, [text])
    words = shown_words(tokenizer, ids)
    return [START, *words[1:]] if ids and ids[0] in tokenizer.all_special_ids else words
