"""The models that recipes for text name: presets of any size, and Llamas with a memory."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import LlamaConfig, PreTrainedTokenizerBase

from lm2core.baselines.architectures import Model, make_model
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, base, lm2_1_7b, lm2_2b_content
from lm2core.model.from_llama import LONGEST_SEGMENT, llama_config, lm2_config
from lm2core.text.bpe import n_ids
from lm2core.training.text_recipe import TextRecipe


def text_tiny(*, vocab_size: int) -> LM2Config:
    """A model for own text that learns on a laptop's processor within minutes."""
    return LM2Config(
        vocab_size=vocab_size,
        hidden_size=128,
        intermediate_size=384,
        memory_slots=32,
        segment_length=64,
    )


N_SINKS = 4  # of a Llama, as in arXiv:2309.17453
MODELS: dict[str, Callable[..., LM2Config]] = {
    "text-tiny": text_tiny,
    "base": base,
    "lm2-1.7b": lm2_1_7b,
    "lm2-2b-content": lm2_2b_content,
}


def config_of(recipe: TextRecipe, tokenizer: PreTrainedTokenizerBase) -> LM2Config:
    """The preset's sizes, or a Llama's with those of its new memory; a UserError if they do not fit."""
    names = ("memory_slots", "memory_layers", "segment_length", "attention_window")
    sizes = {name: getattr(recipe, name) for name in names if getattr(recipe, name) is not None}
    if not recipe.llama:
        preset = MODELS[recipe.model](vocab_size=n_ids(tokenizer))
        config = LM2Config.from_dict(preset.to_dict() | sizes)
        config.eos_token_id = tokenizer.eos_token_id
        return config
    with _opening(recipe.llama):
        llama = llama_config(recipe.llama)
    config = lm2_config(llama, source=recipe.llama, **_in_context(llama, sizes))
    if n_ids(tokenizer) > config.vocab_size:
        raise UserError(
            f"the tokenizer has {n_ids(tokenizer)} ids, but {recipe.llama} only {config.vocab_size}; "
            "give the Llama's tokenizer: --tokenizer FOLDER"
        )
    return config


def _in_context(llama: LlamaConfig, sizes: dict[str, Any]) -> dict[str, Any]:
    """The sizes with a segment, a window before it and sinks that are the Llama's context, where not chosen.

    With a segment of a quarter, every token sees at least three quarters of the context.
    """
    context = min(llama.max_position_embeddings, LONGEST_SEGMENT)
    length = sizes.get("segment_length", max(1, context // 4))
    window = sizes.get("attention_window", max(0, context - length - N_SINKS))
    n_sinks = N_SINKS if window else 0
    if length + window + n_sinks > llama.max_position_embeddings:
        raise UserError(
            f"a segment of {length} tokens, {window} before it and {n_sinks} sinks are more than this "
            f"Llama's context of {llama.max_position_embeddings}; choose a smaller --segment-length or "
            "--attention-window"
        )
    return sizes | {"segment_length": length, "attention_window": window, "attention_sinks": n_sinks}


@contextmanager
def _opening(llama: str) -> Iterator[None]:
    """What transformers says of a Llama that is not there or not whole, in one line with what to do."""
    try:
        yield
    except OSError as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(
            f"cannot open {llama}: {reason}; --llama takes a Llama's folder, .gguf file or id"
        ) from None


def new_model(recipe: TextRecipe, config: LM2Config) -> Model:
    """A new model of these sizes, or the Llama with a new memory, in float32."""
    if not recipe.llama:
        return make_model(config, recipe.architecture)
    with _opening(recipe.llama):
        model: LM2ForCausalLM = LM2ForCausalLM.from_pretrained(
            recipe.llama, config=config, may_be_new=".mem.", dtype=torch.float32
        )
    if recipe.freeze_backbone:
        model.freeze_backbone()
    return model
