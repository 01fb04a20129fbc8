"""Sentences as segments of a Llama: each begins with a token of its own, and its first word with a space.

A Llama's heads rest on the first token of a text, whatever it is. Without the space the first word of a
sentence would be another token than the same word elsewhere.
"""

from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerBase

from lm2core.errors import UserError


def begin_sentences(tokenizer: PreTrainedTokenizerBase, first_id: int | None) -> None:
    """Make ``tokenizer`` begin each text with the token ``first_id``, and its first word with a space.

    A tokenizer that begins texts with a token already keeps it, and only byte-level ones are given the space.

    Raises
    ------
    UserError
        For no id, or one that the tokenizer does not have.
    """
    backend: Tokenizer = tokenizer.backend_tokenizer
    _begin_with_space(backend)
    if backend.encode("").ids:
        return
    first = None if first_id is None else backend.id_to_token(first_id)
    if first is None:
        raise UserError(
            f"bos_token_id={first_id} is no token of the tokenizer, but every sentence begins with it; "
            "set it in the config to the id of the token that texts begin with"
        )
    backend.post_processor = processors.TemplateProcessing(
        single=["first", "$A"], special_tokens=[{"id": "first", "ids": [first_id], "tokens": [first]}]
    )


def _begin_with_space(backend: Tokenizer) -> None:
    split = backend.pre_tokenizer
    if isinstance(split, pre_tokenizers.ByteLevel):
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=split.use_regex)
    elif isinstance(backend.decoder, decoders.ByteLevel):
        # In a sequence of splits that option would put a space before every part.
        first = normalizers.Prepend(" ")
        others = [] if backend.normalizer is None else [backend.normalizer]
        backend.normalizer = normalizers.Sequence([first, *others])
