"""Llamas in GGUF files, the format of llama.cpp, read by transformers and the package ``gguf``.

Weights are dequantized to float32 when they are read: a memory is trained beside a Llama in full precision.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig, PreTrainedTokenizerBase

from lm2core.errors import UserError
from lm2core.model.config import llama_fields


def is_gguf(name: str | Path) -> bool:
    """Whether ``name`` is that of a GGUF file."""
    return str(name).endswith(".gguf")


def gguf_config(file: str | Path) -> LlamaConfig:
    """The sizes of the Llama in ``file``.

    Raises
    ------
    UserError
        For a missing or truncated file, a file of another format or of another family of models, and where
        the package ``gguf`` is not installed.
    """
    with _reading(file) as (folder, name):
        config = AutoConfig.from_pretrained(folder, gguf_file=name)
    if not isinstance(config, LlamaConfig):
        raise UserError(f"{file} holds a {config.model_type!r} model; only a Llama can be given a memory")
    return LlamaConfig(**llama_fields(config))


def gguf_weights(file: str | Path) -> dict[str, Any]:
    """The weights of the Llama in ``file`` under transformers' names; errors as of ``gguf_config``."""
    with _reading(file) as (folder, name):
        weights: dict[str, Any] = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name).state_dict()
    return weights


def gguf_tokenizer(file: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer in ``file``; errors as of ``gguf_config``."""
    with _reading(file) as (folder, name):
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    return tokenizer


@contextmanager
def _reading(file: str | Path) -> Iterator[tuple[str, str]]:
    """Folder and name of an existing file; what its readers raise for a damaged one becomes a UserError."""
    path = Path(file)
    if not path.is_file():
        raise UserError(f"there is no file {file}; give the path of a GGUF file")
    try:
        yield str(path.parent), path.name
    except ImportError as error:
        raise UserError(f"reading {file} needs the package gguf ({error}); pip install gguf") from None
    except (ValueError, KeyError, OSError, struct.error) as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"{file} is truncated or not a Llama's GGUF file ({reason}); copy it again") from None
