"""Find and load checkpoints: a shipped model by name, a folder, or a Hugging Face id."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lm2core.errors import UserError
from lm2core.reading.backbones import is_found
from lm2core.reading.memory_weights import BACKBONE, open_memory

if TYPE_CHECKING:
    from lm2core.reading.loaded_model import LoadedModel

KINDS = ("lm2", "lm2-rmt", "lm2-armt", "lm2-llama-full")  # LM2 and its baselines
SHIPPED = Path(__file__).parents[1] / "pretrained"


def shipped_models(*, baselines: bool = False, memories: bool = False) -> list[str]:
    """Names of the LM2s that come with the package whole.

    baselines : also the models that are no LM2
    memories : also memories that open with a Llama of their own, which may not be on this machine
    """
    configs = {f.parent.name: json.loads(f.read_text("utf-8")) for f in SHIPPED.glob("*/config.json")}
    return sorted(
        name
        for name, config in configs.items()
        if (baselines or config["model_type"] == "lm2") and (memories or BACKBONE not in config)
    )


def memories_at_hand() -> list[str]:
    """Names of the memories that come with the package and whose Llama is on this machine."""
    memories = set(shipped_models(memories=True)) - set(shipped_models())
    needed = {name: json.loads((SHIPPED / name / "config.json").read_text("utf-8")) for name in memories}
    return sorted(name for name, config in needed.items() if is_found(config[BACKBONE]["name"]))


def load(
    checkpoint: str | Path, *, baselines: bool = False, backbone: str | Path | None = None
) -> "LoadedModel":
    """Load model and tokenizer of ``checkpoint``. Weights are read with safetensors only; no code is run.

    baselines : also allow baselines, which have no memory bank
    backbone : for a checkpoint of a memory alone, the folder, .gguf file or hub id of its Llama; None: where
        its config says

    Raises
    ------
    UserError
        When there is no such checkpoint, it is incomplete (the text says what is missing or unexpected), or
        it is a baseline and ``baselines`` is False; for a memory as ``open_memory``.
    """
    if not isinstance(checkpoint, str | Path) or not str(checkpoint).strip():
        raise UserError(f"{checkpoint!r} is not a checkpoint; {_known()}")
    from lm2core.baselines.architectures import architecture_of  # registers all models with the Auto classes

    try:
        lm = _find(str(checkpoint), backbone)
    except OSError as error:  # a folder that may not be looked into, a name that is too long
        raise UserError(f"cannot look for checkpoint {checkpoint}: {error.strerror}; {_known()}") from None
    architecture = architecture_of(lm.model)
    if architecture != "lm2" and not baselines:
        raise UserError(
            f"{checkpoint} is a baseline ({architecture}) and has no memory bank to analyse; "
            f"choose an LM2, or evaluate it: lm2 eval {checkpoint} --babi FILE"
        )
    return lm


def _find(checkpoint: str, backbone: str | Path | None) -> "LoadedModel":
    folder = SHIPPED / checkpoint
    if not (folder / "config.json").is_file():
        folder = Path(checkpoint)
    stored = _checked_config(folder) if folder.is_dir() else {}
    if BACKBONE in stored:
        return open_memory(checkpoint, folder, stored, backbone=backbone)
    if backbone is not None:
        raise UserError(f"{checkpoint} is no memory that needs another model; omit backbone={backbone}")
    if folder.is_dir():
        return _load(checkpoint, _checked_folder(folder))
    if checkpoint.count("/") != 1 or checkpoint.startswith((".", "/")):
        raise UserError(f"no checkpoint {checkpoint!r}; {_known()}")
    return _load(checkpoint, checkpoint)


def _known() -> str:
    """What may be given."""
    names = ", ".join(shipped_models(baselines=True, memories=True))
    return f"give a folder, a Hugging Face id (owner/name), or one of: {names}"


def _checked_config(folder: Path) -> dict[str, Any]:
    """The config in a folder of a checkpoint."""
    config = folder / "config.json"
    if not config.is_file():
        raise UserError(
            f"{folder} has no config.json; give a folder written by 'lm2 train' or save_pretrained"
        )
    try:
        stored: dict[str, Any] = json.loads(config.read_text(encoding="utf-8"))
        stored.get("model_type")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{config} is not a readable config ({error}); copy the checkpoint again") from None
    return stored


def _checked_folder(folder: Path) -> str:
    """The folder as text, if its weights are safetensors and a tokenizer is beside them."""
    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{folder} has no *.safetensors weights; pickled weights are not opened, save them as safetensors"
        )
    if not any(folder.glob("tokenizer*")):
        raise UserError(f"{folder} has no tokenizer; copy the tokenizer* files of its run or model into it")
    return str(folder)


def _load(name: str, source: str) -> "LoadedModel":
    from huggingface_hub.errors import StrictDataclassError
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedConfig
    from transformers.utils import logging

    from lm2core.model.from_llama import ADVICE
    from lm2core.reading.loaded_model import LoadedModel

    logging.disable_progress_bar()
    try:
        kind = PreTrainedConfig.get_config_dict(source)[0].get("model_type")
        if kind not in KINDS:
            raise UserError(f"it is a {kind!r} model, not one of {', '.join(KINDS)}")
        model = AutoModelForCausalLM.from_pretrained(source, use_safetensors=True, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    except (
        OSError,
        ValueError,
        ArithmeticError,
        SafetensorError,
        StrictDataclassError,
        RuntimeError,
        KeyError,
        TypeError,
    ) as error:
        reason = str(error).strip().split("\n")[0].removesuffix(ADVICE)
        raise UserError(f"cannot open checkpoint {name}: {reason}{ADVICE}") from None
    largest = max(tokenizer.get_vocab().values())
    if largest >= model.config.vocab_size:
        raise UserError(
            f"the tokenizer of {name} has id {largest}, but its model only 0..{model.config.vocab_size - 1}; "
            "use the tokenizer that the model was trained with"
        )
    return LoadedModel(name, model.eval(), tokenizer)
