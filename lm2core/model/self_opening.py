"""A saved LM2 opens with transformers' own classes, also where nothing has imported lm2core yet.

``AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True)`` runs the small file that is saved
beside the weights. It holds no model code: it imports the installed lm2core, or says that it is missing.
"""

from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from lm2core.files import write_atomically

MODULE = "open_lm2"
AUTO_MAP = {"AutoConfig": f"{MODULE}.LM2Config", "AutoModelForCausalLM": f"{MODULE}.LM2ForCausalLM"}
CODE = '''"""Lets transformers open this folder: from_pretrained(FOLDER, trust_remote_code=True)."""

try:
    from lm2core.model.causal_lm import LM2ForCausalLM
    from lm2core.model.config import LM2Config
except ImportError as error:
    raise ImportError(
        "this folder holds an LM2, which needs the Python package lm2 (it brings lm2core); "
        "install it from its repository: pip install PATH_OF_THE_REPOSITORY"
    ) from error
'''


class SelfOpening(PreTrainedModel):
    """``save_pretrained`` that also writes what transformers needs to open the folder."""

    @classmethod
    def register_for_auto_class(cls, auto_class: Any = "AutoModel") -> None:
        """Nothing: transformers would save a copy of this package's code with every model."""

    def save_pretrained(
        self, save_directory: Any, is_main_process: bool = True, *args: Any, **kwargs: Any
    ) -> None:
        """Save config, weights and the file that opens them; arguments are transformers'."""
        self.config.auto_map = AUTO_MAP
        super().save_pretrained(save_directory, is_main_process, *args, **kwargs)
        if is_main_process:
            write_atomically(Path(save_directory) / f"{MODULE}.py", CODE)
