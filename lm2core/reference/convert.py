"""Convert a checkpoint of the public LM2 code into a folder that ``from_pretrained`` opens.

Source: the code published with Kang et al. 2025, arXiv:2502.06049. Its checkpoints are state dicts that store
some tensors twice and lack heads and rotary settings, so the sizes come from a JSON file. No code in a
checkpoint is run: pickles are opened for tensors and plain values only.
"""

import json
import os
import tempfile
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from lm2core.errors import UserError
from lm2core.reference.causal_lm import ReferenceConfig, ReferenceForCausalLM

Weights = dict[str, Tensor]

# Parts of the names under which the public code saves a tensor again -> the part in its first name.
SECOND_NAMES = {".mem_attn.self_attn.": ".self_attn.", ".attention_mlp.1.": ".attention_mlp.0."}


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise UserError
    return value


NEEDED = (
    "vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "num_mem_heads", "memory_slots",
)  # fmt: skip
ASSUMED: dict[str, Any] = {  # Llama's defaults
    "rope_theta": 10000.0, "rope_scaling": None, "rms_norm_eps": 1e-6, "hidden_act": "silu",
    "tie_word_embeddings": False, "max_position_embeddings": 2048,
}  # fmt: skip
UNUSED = ("batch_size",)
# Sizes may come from safetensors metadata, which holds only text, so values are parsed from text.
KINDS: dict[str, tuple[Callable[[str], Any], str]] = {
    "rope_theta": (_positive, "a number above 0"),
    "rms_norm_eps": (_positive, "a number above 0"),
    "hidden_act": (str, "the name of an activation"),
    "tie_word_embeddings": (lambda text: {"true": True, "false": False}[text.lower()], "true or false"),
}


def convert_reference(file: str | Path, config_json: str | Path, out: str | Path) -> list[str]:
    """Write the model of ``file``, with the sizes of ``config_json``, to the folder ``out``, atomically.

    Parameters
    ----------
    file : path
        Safetensors, or a torch file: a state dict, or a training checkpoint with a ``model_state_dict``.
    config_json : path
        The sizes: all of ``NEEDED``; those of ``ASSUMED`` are optional. Values may be text.
    out : path
        New or empty. After importing ``lm2core.reference.causal_lm``, ``AutoModelForCausalLM`` opens it.

    Returns
    -------
    list of str
        What the files do not specify and what was assumed for it, one sentence each.

    Raises
    ------
    UserError
        When a file cannot be read, is not such a checkpoint, or ``out`` cannot be written.
    """
    file, config_json, out = Path(file), Path(config_json), Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} is not an empty folder; choose another")
    sizes = _read_json(config_json)
    weights = _read_weights(file)
    if any(".mem." in name for name in weights):
        raise UserError(f"{file} is an LM2 of this project and needs no conversion; open its folder")
    if "model.embed_tokens.weight" in weights and not any(".memory_module." in name for name in weights):
        raise UserError(
            f"{file} is a plain Llama without a memory; add one with "
            "LM2ForCausalLM.from_pretrained(FOLDER, memory_slots=...), where FOLDER has its config.json"
        )
    model, assumed = _skeleton(sizes, config_json)
    config = model.config
    weights = _without_second_names(weights, file, tied=config.tie_word_embeddings)
    weights["memory_bank"], about_bank = _starting_bank(weights.get("memory_bank"), config.memory_slots)
    _check_fit(weights, model, file)
    _write(out, config, weights)
    return [*assumed, *about_bank]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        sizes = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; give the JSON file with the sizes") from None
    except ValueError as error:
        raise UserError(f"{path} is not valid JSON ({error}); correct it") from None
    if not isinstance(sizes, dict):
        raise UserError(f'{path} must be a JSON object, {{"hidden_size": ...}}, got {sizes!r:.40}')
    return sizes


def _read_weights(path: Path) -> Weights:
    """All tensors of the file by name, in float32 as the public code saves them."""
    try:
        with path.open("rb") as opened:
            head = opened.read(9)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}; name a checkpoint file") from None
    try:
        if head[8:] == b"{":  # safetensors, after eight bytes for the length of the header
            state_dict: Any = load_file(path)
        elif head.startswith((b"PK", b"\x80")):  # a zip file, or a pickle of older torch versions
            # Opened here, because torch would go by the name. Its warnings concern files refused below.
            with path.open("rb") as opened, warnings.catch_warnings(action="ignore"):
                state_dict = torch.load(opened, weights_only=True, map_location="cpu")
        else:
            raise UserError("its first bytes match neither")
    except UnpicklingError:
        raise UserError(
            f"{path} holds more than tensors and plain values, and loading it would run its code; "
            "save only the weights: torch.save(model.state_dict(), FILE)"
        ) from None
    except Exception as error:  # an unpickler can raise anything on a file that is not a pickle
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} is neither safetensors nor a torch file, or is truncated ({reason}); copy it again"
        ) from None
    if isinstance(state_dict, dict) and "model_state_dict" in state_dict:
        state_dict = state_dict["model_state_dict"]
    if not isinstance(state_dict, dict) or not all(
        isinstance(value, Tensor) for value in state_dict.values()
    ):
        raise UserError(f"{path} is not a state dict; it must map names to tensors, or have model_state_dict")
    return {str(name): value.float() for name, value in state_dict.items()}


def _skeleton(sizes: dict[str, Any], path: Path) -> tuple[ReferenceForCausalLM, list[str]]:
    """A model of these sizes without weights, and a note on what was assumed."""
    known = (*NEEDED, *ASSUMED, *UNUSED)
    missing, unknown = [n for n in NEEDED if n not in sizes], [n for n in sizes if n not in known]
    if missing:
        raise UserError(f"{path} lacks {_some(missing)}, which the weights do not determine; add it")
    if unknown:
        raise UserError(f"{path} has the unknown keys {_some(unknown)}; known: {', '.join(known)}")
    given = {name: _value(name, sizes[name], path) for name in sizes if name not in UNUSED}
    taken = {name: value for name, value in ASSUMED.items() if name not in given}
    values = given | taken
    scaling = values.pop("rope_scaling") or {"rope_type": "default"}
    rope = {**scaling, "rope_theta": values.pop("rope_theta")}
    try:
        config = ReferenceConfig(memory_heads=values.pop("num_mem_heads"), rope_parameters=rope, **values)
        with torch.device("meta"):
            model = ReferenceForCausalLM(config)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None
    except (KeyError, TypeError) as error:  # raised by transformers for wrong rotary settings
        raise UserError(f"{path}: rope_scaling has a wrong or missing entry: {error}; correct it") from None
    assumptions = ", ".join(f"{name}={value}" for name, value in taken.items())
    return model, [f"{path} does not give all values; assumed: {assumptions}"] if assumptions else []


def _value(name: str, value: Any, path: Path) -> Any:
    if name == "rope_scaling":
        if value is None or isinstance(value, dict):
            return value
        raise UserError(f"{path}: {name} must be null or an object as in a Llama's config, got {value!r}")
    read, allowed = KINDS.get(name, (int, "a whole number"))
    try:
        return read(str(value))
    except (ValueError, KeyError):
        raise UserError(f"{path}: {name} must be {allowed}, got {value!r}") from None


def _without_second_names(weights: Weights, file: Path, *, tied: bool) -> Weights:
    """Each tensor under one name. Of tensors that the public code saves twice, one or both may be present."""
    second_names = SECOND_NAMES | ({"lm_head.weight": "model.embed_tokens.weight"} if tied else {})
    once: Weights = {}
    differ = []
    for name, tensor in weights.items():
        first = name
        for second_part, first_part in second_names.items():
            first = first.replace(second_part, first_part)
        once[first] = weights.get(first, tensor)
        if not torch.equal(once[first], tensor):
            differ.append(f"{name} and {first}")
    if differ:
        hint = " or correct tie_word_embeddings" if tied else ""
        raise UserError(
            f"{file} stores the same tensor under two names with different values: {_some(differ)}; "
            f"copy it again{hint}"
        )
    return once


def _starting_bank(bank_BND: Tensor | None, n_slots: int) -> tuple[Tensor, list[str]]:
    """The bank (N,D) to start from, and a note on why; the stored one has a bank for each text of a batch."""
    if bank_BND is None:
        return torch.eye(n_slots), ["the checkpoint has no memory_bank: texts start from the identity"]
    if bank_BND.ndim != 3 or bank_BND.shape[1:] != (n_slots, n_slots) or not len(bank_BND):
        raise UserError(
            f"memory_bank of the checkpoint has shape {tuple(bank_BND.shape)}, must be "
            f"(B, {n_slots}, {n_slots}); correct memory_slots, or copy it again"
        )
    if not torch.equal(bank_BND, bank_BND[:1].expand_as(bank_BND)):
        why = (
            f"the stored memory_bank differs between its {len(bank_BND)} texts: texts start from the identity"
        )
        return torch.eye(n_slots), [why]
    return bank_BND[0], []


def _check_fit(weights: Weights, model: ReferenceForCausalLM, file: Path) -> None:
    expected = model.state_dict()
    if model.config.tie_word_embeddings:
        del expected["lm_head.weight"]
    wrong = {
        "missing": [name for name in expected if name not in weights],
        "unexpected": [name for name in weights if name not in expected],
        "wrong shape": [
            f"{name} is {tuple(tensor.shape)}, must be {tuple(expected[name].shape)}"
            for name, tensor in weights.items()
            if name in expected and tensor.shape != expected[name].shape
        ],
    }
    if any(wrong.values()):
        what = "; ".join(f"{kind}: {_some(names)}" for kind, names in wrong.items() if names)
        raise UserError(f"{file} is not a checkpoint of the public code with these sizes ({what})")


def _write(out: Path, config: ReferenceConfig, weights: Weights) -> None:
    """Write config and weights under temporary names, then rename them, the weights last."""
    config.architectures = [ReferenceForCausalLM.__name__]
    # Safetensors refuses tensors that share their storage.
    copies = {name: tensor.clone(memory_format=torch.contiguous_format) for name, tensor in weights.items()}
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".model.", dir=out) as name:
            folder = Path(name)
            config.save_pretrained(folder)
            save_file(copies, folder / "model.safetensors", metadata={"format": "pt"})
            for written in ("config.json", "model.safetensors"):
                os.replace(folder / written, out / written)
    except (OSError, SafetensorError) as error:
        raise UserError(f"cannot write to {out}: {error}; free some space or choose another folder") from None


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return ", ".join(listed[:3]) + more
