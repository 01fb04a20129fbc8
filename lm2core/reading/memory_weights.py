"""Checkpoints of a memory alone, a small part of a model, to be opened with the Llama that it belongs to.

``config.json`` has the whole LM2Config and, under "backbone", which Llama: its name, and fingerprints of its
weights and of its tokenizer's vocabulary. ``model.safetensors`` has the weights of the memory.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm2core.errors import UserError
from lm2core.reading.backbones import BACKBONES, find_backbone

if TYPE_CHECKING:
    import torch
    from transformers import LlamaConfig, PreTrainedTokenizerBase

    from lm2core.model.causal_lm import LM2ForCausalLM
    from lm2core.model.config import LM2Config
    from lm2core.reading.loaded_model import LoadedModel

BACKBONE, PART = "backbone", ".mem."
WEIGHTS = "model.safetensors"
SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
)


def save_memory(
    model: "LM2ForCausalLM",
    tokenizer: "PreTrainedTokenizerBase",
    folder: str | Path,
    *,
    backbone: str | Path,
    dtype: "torch.dtype | None" = None,
) -> None:
    """Save the memory of a model whose other weights are those of a Llama that others have.

    Parameters
    ----------
    folder : str or Path
        Made if need be; its ``config.json`` and ``model.safetensors`` are replaced, each whole or not at all.
    backbone : str or Path
        What the Llama opens from: a name of ``BACKBONES``, a folder, a .gguf file, or a hub id.
    dtype : torch.dtype or None
        Of the saved weights, such as ``torch.float16`` for half the bytes; None: the model's. The model is
        opened in its own.

    Raises
    ------
    UserError
        When the model has no memory, or the folder cannot be written.
    """
    from safetensors.torch import save_file

    from lm2core.files import atomic_path, write_atomically
    from lm2core.traces.fingerprint import backbone_fingerprint, vocabulary_fingerprint

    weights = {
        name: value.detach().to("cpu", dtype or value.dtype).contiguous()
        for name, value in model.state_dict().items()
        if PART in name
    }
    if not weights:
        raise UserError(
            "the model has no memory to save; give an LM2 with at least one block in memory_layers"
        )
    name = str(backbone)
    if name not in BACKBONES and Path(name).exists():
        name = str(Path(name).resolve())
    config = model.config.to_dict() | {
        BACKBONE: {
            "name": name,
            "weights": backbone_fingerprint(model),
            "vocabulary": vocabulary_fingerprint(tokenizer.get_vocab()),
        }
    }
    config.pop("auto_map", None)  # only a whole model opens itself
    config.pop("_name_or_path", None)  # where the Llama was on this machine
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make folder {folder}: {error.strerror}; choose another") from None
    with atomic_path(folder / WEIGHTS) as temporary:
        save_file(weights, temporary, metadata={"format": "pt"})
    write_atomically(folder / "config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")


def open_memory(
    name: str, folder: Path, stored: dict[str, Any], *, backbone: str | Path | None = None
) -> "LoadedModel":
    """Open a memory with its Llama, whose tokenizer then begins sentences as ``begin_sentences`` does.

    stored : the content of config.json
    backbone : what the Llama opens from; None: as ``find_backbone``

    Raises
    ------
    UserError
        When there is no such Llama, it cannot be opened, or it has another size, other weights or another
        tokenizer than the one that the memory was trained on; when the memory's weights are not complete.
    """
    from transformers.utils import logging

    from lm2core.model.config import LM2Config
    from lm2core.model.from_llama import llama_config
    from lm2core.reading.loaded_model import LoadedModel
    from lm2core.text.bpe import open_tokenizer
    from lm2core.text.sentence_tokens import begin_sentences
    from lm2core.traces.fingerprint import backbone_fingerprint, vocabulary_fingerprint

    logging.disable_progress_bar()
    needs = stored[BACKBONE]
    config = LM2Config.from_dict({key: value for key, value in stored.items() if key != BACKBONE})
    where = find_backbone(needs["name"], needed_by=name) if backbone is None else str(backbone)
    try:
        _check_sizes(name, where, config, llama_config(where))
        tokenizer = open_tokenizer(where)
        words = vocabulary_fingerprint(tokenizer.get_vocab())
        _check_same(name, where, "another tokenizer", needs["vocabulary"], words)
        model = _with_new_memory(where, config)
    except OSError as error:
        reason = str(error).strip().split("\n")[0]
        raise UserError(f"cannot open {where}, the backbone of {name}: {reason}") from None
    _check_same(name, where, "other weights", needs["weights"], backbone_fingerprint(model))
    _load_memory(model, folder / WEIGHTS)
    begin_sentences(tokenizer, config.bos_token_id)
    return LoadedModel(name, model.eval(), tokenizer, is_beside_llama=True)


def _with_new_memory(where: str, config: "LM2Config") -> "LM2ForCausalLM":
    """The Llama's weights in a model of this config; those of the memory are still to be loaded."""
    from lm2core.model.causal_lm import LM2ForCausalLM
    from lm2core.model.gguf import is_gguf

    only_safetensors = {} if is_gguf(where) else {"use_safetensors": True}
    model: LM2ForCausalLM = LM2ForCausalLM.from_pretrained(
        where, config=config, may_be_new=PART, dtype=config.dtype, **only_safetensors
    )
    return model


def _check_sizes(name: str, where: str, config: "LM2Config", llama: "LlamaConfig") -> None:
    other = [
        f"{size}={getattr(llama, size)}, not {getattr(config, size)}"
        for size in SIZES
        if getattr(llama, size) != getattr(config, size)
    ]
    if other:
        raise UserError(
            f"{where} has another size than the Llama that {name} was trained on: {'; '.join(other)}; "
            "give that one"
        )


def _check_same(name: str, where: str, what: str, expected: str, found: str) -> None:
    if found != expected:
        raise UserError(
            f"{where} has {what} than the Llama that {name} was trained on (fingerprint {found}, not "
            f"{expected}); give that one, not a further trained or differently quantized copy"
        )


def _load_memory(model: "LM2ForCausalLM", file: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from lm2core.model.from_llama import ADVICE

    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot read the memory's weights in {file} ({error}){ADVICE}") from None
    shapes = {name: value.shape for name, value in model.state_dict().items() if PART in name}
    if differing := {
        n for n in shapes.keys() | weights if n not in weights or weights[n].shape != shapes.get(n)
    }:
        raise UserError(
            f"{file} does not hold the memory that its config describes (missing, unexpected or of a wrong "
            f"shape: {', '.join(sorted(differing)[:4])}){ADVICE}"
        )
    model.load_state_dict(weights, strict=False)
