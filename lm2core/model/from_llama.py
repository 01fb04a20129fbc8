"""Load an LM2 from its own checkpoint, or from a Llama's with a new memory.

A new memory starts closed: what it reads is zero, so the logits are the Llama's until it has learned.
"""

from dataclasses import fields
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import LlamaConfig, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from lm2core.errors import UserError
from lm2core.model.config import LM2Config, llama_fields
from lm2core.model.gguf import gguf_config, gguf_weights, is_gguf

ADVICE = "; copy it again or choose another"
LONGEST_SEGMENT = 2048  # tokens; the default for Llamas trained on longer texts
HUB_OPTIONS = ("cache_dir", "force_download", "local_files_only", "revision", "subfolder", "token")


class StrictCheckpoints(PreTrainedModel):
    """``from_pretrained`` that refuses incomplete weights."""

    @classmethod
    def from_pretrained(cls, name: str, *args: Any, may_be_new: str | None = None, **kwargs: Any) -> Any:
        """Load a checkpoint; only weights whose name contains ``may_be_new`` may be missing from it.

        Raises
        ------
        UserError
            For weights missing otherwise, unexpected or of a wrong shape, by name; for truncated files.
        """
        wants_info = kwargs.pop("output_loading_info", False)
        kwargs.pop("ignore_mismatched_sizes", None)  # a mismatch is always an error
        verbosity = logging.get_verbosity()
        logging.set_verbosity_error()  # _check_complete reports errors, and a new memory is expected
        try:
            # _check_complete reports weights of a wrong shape together with missing ones.
            model, info = super().from_pretrained(
                name, *args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
            )
        except SafetensorError as error:
            raise UserError(
                f"the weights are truncated or not safetensors ({error}): {name}{ADVICE}"
            ) from None
        finally:
            logging.set_verbosity(verbosity)
        _check_complete(str(name), info, may_be_new)
        return (model, info) if wants_info else model


class LlamaLoading(StrictCheckpoints):
    """``from_pretrained`` that also takes a Llama checkpoint or GGUF file."""

    @classmethod
    def from_pretrained(
        cls, name: str, *args: Any, config: Any = None, may_be_new: str | None = None, **kwargs: Any
    ) -> Any:
        """Load an LM2, or a Llama with ``memory_slots=...`` and any other keys of LM2Config.

        ``name`` is a folder, a Hugging Face id, or the path of a Llama's ``.gguf`` file. With ``config`` and
        ``may_be_new=".mem."`` a Llama's weights are loaded into a model of that config.

        Raises
        ------
        UserError
            For a model of another family, a Llama without ``memory_slots``, weights that are missing,
            unexpected or of a wrong shape, and truncated files.
        """
        if is_gguf(name):
            return cls._from_gguf(name, config, **kwargs)
        hub = {key: kwargs[key] for key in HUB_OPTIONS if key in kwargs}
        kind, is_llama = "lm2", False
        if config is None:
            stored, _ = PreTrainedConfig.get_config_dict(name, **hub)
            kind = stored.get("model_type")
            is_llama = kind == "llama"
        if is_llama:
            config = lm2_config(LlamaConfig.from_dict(stored), source=str(name), **_pop_memory(kwargs))
        elif kind != "lm2":
            raise UserError(
                f"{name} is a {kind!r} model; an LM2 can only be loaded from 'lm2' or 'llama' checkpoints"
            )
        new = ".mem." if is_llama else may_be_new
        return super().from_pretrained(name, *args, config=config, may_be_new=new, **kwargs)

    @classmethod
    def _from_gguf(cls, file: str, config: Any, *, dtype: Any = None, **kwargs: Any) -> Any:
        """The Llama in a GGUF file with a new memory, in float32 unless ``dtype`` says otherwise."""
        if config is None:
            config = lm2_config(gguf_config(file), source=file, **_pop_memory(kwargs))
        if kwargs:
            raise UserError(f"{', '.join(kwargs)} cannot be given for a GGUF file; omit it")
        model = cls(config)
        missing, unexpected = model.load_state_dict(gguf_weights(file), strict=False)
        info = {"missing_keys": missing, "unexpected_keys": unexpected, "mismatched_keys": []}
        _check_complete(file, info, ".mem.")
        model.tie_weights()
        return model.to(dtype or config.dtype or torch.float32).eval()

    def freeze_backbone(self) -> None:
        """Freeze all weights of the Llama, so that only the memory is trained."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(".mem." in name)


def lm2_config(llama: LlamaConfig, *, source: str = "this model", **memory: Any) -> LM2Config:
    """The config of a Llama with a memory of ``memory_slots`` slots; other keys as in LM2Config.

    By default the memory reads with as many heads as self-attention, and segments are as long as the Llama's
    texts, at most ``LONGEST_SEGMENT``.
    """
    if "memory_slots" not in memory:
        raise UserError(f"{source} is a Llama without a memory; give the size of a new one: memory_slots=...")
    defaults = {
        "memory_heads": llama.num_attention_heads,
        "segment_length": min(llama.max_position_embeddings, LONGEST_SEGMENT),
        "memory_starts_closed": True,
        "attention_dropout": 0.0,  # does not affect inference; an LM2 is trained without it
    }
    if memory.get("routing") == "positional":
        defaults["segment_length"] = memory["memory_slots"]
    return LM2Config(**(llama_fields(llama) | defaults | memory))


def llama_config(name: str) -> LlamaConfig:
    """The config of a Llama: a folder, a Hugging Face id, or a ``.gguf`` file.

    Raises
    ------
    UserError
        For another family of models, and as ``gguf_config``.
    OSError
        For a folder or id that transformers cannot open; says why.
    """
    if is_gguf(name):
        return gguf_config(name)
    stored = PreTrainedConfig.get_config_dict(name)[0]
    if stored.get("model_type") != "llama":
        raise UserError(f"{name} is a {stored.get('model_type')!r} model; give a Llama's folder, file or id")
    return LlamaConfig.from_dict(stored)


def _pop_memory(options: dict[str, Any]) -> dict[str, Any]:
    """Take the keys out of ``options`` that LM2Config adds to a Llama's."""
    llama = {f.name for f in fields(LlamaConfig)}
    return {
        f.name: options.pop(f.name) for f in fields(LM2Config) if f.name not in llama and f.name in options
    }


def _check_complete(name: str, info: dict[str, Any], may_be_new: str | None) -> None:
    missing = sorted(key for key in info["missing_keys"] if not may_be_new or may_be_new not in key)
    unexpected = sorted(info["unexpected_keys"])
    other = [
        f"{key} {tuple(got)} instead of {tuple(expected)}" for key, got, expected in info["mismatched_keys"]
    ]
    if missing or unexpected or other:
        lists = {"missing": missing, "unexpected": unexpected, "of a wrong shape": sorted(other)}
        what = "; ".join(f"{kind}: {', '.join(keys[:4])}" for kind, keys in lists.items() if keys)
        raise UserError(f"not a complete checkpoint ({what}): {name}{ADVICE}")
