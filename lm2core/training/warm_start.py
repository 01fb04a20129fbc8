"""Begin training from a trained model whose vocabulary is another: what both know goes over."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from lm2core.baselines.architectures import Model, architecture_of
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load

BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")  # one row a token


def start_model(
    checkpoint: str, tokenizer: PreTrainedTokenizerBase, architecture: str, changes: Mapping[str, Any]
) -> Model:
    """The model of ``checkpoint`` for the words of ``tokenizer``; words it did not know start untrained.

    changes : of its config; a UserError when weights do not fit them, when there is no such checkpoint, or
        when it is not of the ``architecture``
    """
    old = load(checkpoint, baselines=True)
    if architecture_of(old.model) != architecture:
        raise UserError(
            f"{checkpoint} is of architecture {architecture_of(old.model)}, not {architecture}; "
            f"give --architecture {architecture_of(old.model)}, or start from another checkpoint"
        )
    if unknown := [name for name in changes if not hasattr(old.model.config, name)]:
        raise UserError(f"{checkpoint}, of architecture {architecture}, has no {unknown[0]}; leave it out")
    sizes = {"vocab_size": len(tokenizer), **changes}
    config = type(old.model.config)(**old.model.config.to_dict() | sizes)
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
            f"{checkpoint} cannot be given {given}; leave that out, or start a new model"
        ) from None
    return model


def _rows_by_token(
    old: Tensor, old_tokenizer: PreTrainedTokenizerBase, new: Tensor, tokenizer: PreTrainedTokenizerBase
) -> Tensor:
    """``new`` (V,D) with the rows that ``old`` has for the same tokens."""
    ids = old_tokenizer.get_vocab()
    for token, i in tokenizer.get_vocab().items():
        if token in ids:
            new[i] = old[ids[token]]
    return new
