"""A model as JSON, for lm2.js to run in a browser.

Only what lm2.js runs: an LM2 with content routing, a tokenizer of stories, and few enough parameters.
"""

import base64
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lm2core.errors import UserError
from lm2viz.arrays import Array

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel

SCHEMA = 1
MAX_PARAMETERS = 4_000_000  # 21 MB of text in a page
FIELDS = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "head_dim", "rms_norm_eps", "tie_word_embeddings", "memory_slots", "memory_heads",
    "memory_top_k", "memory_gate_rank", "candidate",
)  # fmt: skip
# How the tokenizers of lm2core.text.tokenizer cut text into words, by the names of lm2_tokenizer.js.
SPLITS: dict[str, dict[str, Any]] = {
    "words": {
        "type": "Split",
        "pattern": {"Regex": r"\w+(,\w+)*|[^\w\s]"},
        "behavior": "Removed",
        "invert": True,
    },
    "whitespace": {"type": "Whitespace"},
}


def model_json(lm: "LoadedModel") -> dict[str, Any]:
    """The model as values for ``json.dumps``; lm2.js describes them (``ModelJson``).

    Weights of another type are sent as float32, in which the browser computes.

    Raises
    ------
    UserError
        For a baseline, positional routing, other rotary positions, activations or tokenizers than those of
        the shipped models, biases of attention or MLP, and more than ``MAX_PARAMETERS``.
    """
    _check_runs(lm)
    config = lm.model.config
    tensors = {name: x.detach().float().cpu().numpy() for name, x in lm.model.state_dict().items()}
    if config.tie_word_embeddings:
        del tensors["lm_head.weight"]
    return {
        "schema": SCHEMA,
        "name": lm.name,
        "config": {
            **{name: getattr(config, name) for name in FIELDS},
            "rope_theta": config.rope_parameters["rope_theta"],
            "memory_blocks": list(config.memory_blocks),
        },
        "tensors": tensors_json(tensors),
        "tokenizer": _tokenizer_json(lm),
    }


def tensors_json(tensors: Mapping[str, Array]) -> dict[str, Any]:
    """Shape and base64 of the float32 values of each tensor, as ``model_json`` sends them."""
    return {
        name: {"shape": list(x.shape), "data": base64.b64encode(x.astype("<f4").tobytes()).decode()}
        for name, x in tensors.items()
    }


def _check_runs(lm: "LoadedModel") -> None:
    """Refuse models that lm2.js does not run: a UserError."""
    config = lm.model.config
    if config.model_type != "lm2":
        raise UserError(
            f"{lm.name} is a baseline ({type(lm.model).__name__}); the page runs an LM2, such as babi-qa1-10"
        )
    n_parameters = sum(p.numel() for p in lm.model.parameters())
    if n_parameters > MAX_PARAMETERS:
        raise UserError(
            f"{lm.name} has {n_parameters:,} parameters; a page holds a model of at most {MAX_PARAMETERS:,}"
        )
    needed = {
        "routing": (config.routing, "content"),
        "rope_type": (config.rope_parameters["rope_type"], "default"),
        "hidden_act": (config.hidden_act, "silu"),
        "attention_bias": (config.attention_bias, False),
        "mlp_bias": (config.mlp_bias, False),
    }
    for field, (value, only) in needed.items():
        if value != only:
            raise UserError(
                f"{lm.name} has {field}={value!r}; the page runs {field}={only!r} only: choose another model"
            )


def _tokenizer_json(lm: "LoadedModel") -> dict[str, Any]:
    """The tokenizer, as ``TokenizerJson`` of lm2_tokenizer.js describes it; a UserError for another kind."""
    tokenizer = lm.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    parts = {} if backend is None else json.loads(backend.to_str())
    model = parts.get("model", {})
    split = next((name for name, part in SPLITS.items() if part == parts.get("pre_tokenizer")), None)
    special = {tokenizer.pad_token, tokenizer.unk_token}
    is_known = (
        model.get("type") in ("WordLevel", "WordPiece")
        and split is not None
        and parts["normalizer"] == {"type": "Lowercase"}
        and {token["content"] for token in parts["added_tokens"]} == special
        and sorted(model["vocab"].values()) == list(range(len(model["vocab"])))
    )
    if not is_known:
        raise UserError(
            f"{lm.name} has a tokenizer of another kind ({model.get('type', type(tokenizer).__name__)}); "
            "the page runs models of stories, whose tokens are lower-cased words or their parts"
        )
    values = {
        "kind": model["type"],
        "split": split,
        "vocabulary": sorted(model["vocab"], key=model["vocab"].get),
        "unk_id": tokenizer.unk_token_id,
        "pad_id": tokenizer.pad_token_id,
    }
    if model["type"] == "WordPiece":
        values["prefix"] = model["continuing_subword_prefix"]
        values["max_word_length"] = model["max_input_chars_per_word"]
    return values
