"""The tokenizer of a text run: one of Hugging Face's, or a byte-level BPE trained on the text itself."""

from collections.abc import Iterable, Iterator

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from lm2core.errors import UserError
from lm2core.model.gguf import gguf_tokenizer, is_gguf

END_OF_TEXT = "<|endoftext|>"
SAMPLE_CHARS = 10_000_000  # a tokenizer is trained on the first so many characters of the text


def open_tokenizer(
    name: str, *, advice: str = "give a folder or a Hugging Face id"
) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder, a ``.gguf`` file, or by its Hugging Face id, without running its code.

    Raises
    ------
    UserError
        When it cannot be opened; the message ends with ``advice``.
    """
    if is_gguf(name):
        return gguf_tokenizer(name)
    try:
        return AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"cannot open tokenizer {name!r}: {reason}; {advice}") from None


def train_tokenizer(texts: Iterable[str], *, vocab_size: int) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE of at most ``vocab_size`` tokens on the beginning of ``texts``."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_beginning(texts), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=END_OF_TEXT,
        pad_token=END_OF_TEXT,
        clean_up_tokenization_spaces=False,
    )


def n_ids(tokenizer: PreTrainedTokenizerBase) -> int:
    """Number of rows the embedding needs: one more than the largest id."""
    return max(tokenizer.get_vocab().values()) + 1


def _beginning(texts: Iterable[str]) -> Iterator[str]:
    n_chars = 0
    for text in texts:
        yield text
        n_chars += len(text)
        if n_chars >= SAMPLE_CHARS:
            return
