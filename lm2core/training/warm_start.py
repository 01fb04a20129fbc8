"""Start training from a trained model with another vocabulary: the rows of shared tokens are copied."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lm2core.baselines.architectures import Model, architecture_of
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load

BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")  # one row per token


def start_model(
    checkpoint: str, tokenizer: PreTrainedTokenizerBase, architecture: str, changes: Mapping[str, Any]
) -> Model:
    """The model of ``checkpoint`` with the vocabulary of ``tokenizer``; tokens new to it start untrained.

    changes : to its config

    Raises a UserError when there is no such checkpoint, when it is of another ``architecture``, or when its
    weights do not fit the changes.
    """
    old = load(checkpoint, baselines=True)
    if architecture_of(old.model) != architecture:
        raise UserError(
            f"{checkpoint} has the architecture {architecture_of(old.model)}, not {architecture}; "
            f"give --architecture {architecture_of(old.model)}, or start from another checkpoint"
        )
    if unknown := [name for name in changes if not hasattr(old.model.config, name)]:
        raise UserError(f"{checkpoint} (architecture {architecture}) has no {unknown[0]}; omit it")
    sizes = {"vocab_size": len(tokenizer), **changes}
    config = type(old.model.config).from_dict(old.model.config.to_dict() | sizes)
    model = type(old.model)(config)
    weights = dict(old.model.state_dict())
    for name in BY_TOKEN:
        weights[name] = _rows_by_token(
            weights[name], old.tokenizer, model.state_dict()[name].clone(), tokenizer
        )
    try:
        model.load_state_dict(weights)
    except RuntimeError:
        given = ", ".join(f"{name}={value}" for name, value in changes.items())
        raise UserError(
            f"the weights of {checkpoint} do not fit {given}; omit it, or train a new model"
        ) from None
    return model


def _rows_by_token(
    old: Tensor, old_tokenizer: PreTrainedTokenizerBase, new: Tensor, tokenizer: PreTrainedTokenizerBase
) -> Tensor:
    """``new`` (V,D) with the rows of ``old`` for shared tokens; changes ``new`` in place."""
    ids = old_tokenizer.get_vocab()
    for token, i in tokenizer.get_vocab().items():
        if token in ids:
            new[i] = old[ids[token]]
    return new
