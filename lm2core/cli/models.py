"""``lm2 models``: the models that ship, and the size and the work of those that are too large to."""

import json

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lm2core.model.config import LM2Config, base, lm2_1_7b, lm2_2b_content
from lm2core.model.sizes import model_size
from lm2core.reading.backbones import is_here
from lm2core.reading.checkpoints import SHIPPED, shipped_models
from lm2core.reading.memory_weights import BACKBONE
from lm2core.training.devices import CHIPS
from lm2core.training.text_recipe import TEXT_PRESETS
from lm2core.training.work import step_seconds, step_work

PAPER = {"lm2-1.7b": "1.2 + 0.5 B"}  # section 3 of the paper: backbone and memory
PREDICTED_ON = "H200"


def list_models(*, flops: bool) -> None:
    """Print all tables."""
    for name in shipped_models(baselines=True, memories=True):
        typer.echo(_shipped(name))
    presets = {"base": base(), "lm2-1.7b": lm2_1_7b(), "lm2-2b-content": lm2_2b_content()}
    console = Console()
    console.print(_sizes(presets))
    console.print(
        "To run: weights and one bank in bf16. To train: weights, gradients and AdamW state in float32. "
        "Activations are not included.",
        style="dim",
    )
    if flops:
        console.print(_work(presets))
        console.print(
            "One training step of the preset's recipe. Done: with what checkpointing and a loss in chunks "
            f"compute twice. {PREDICTED_ON}: predicted from these counts, not measured; see docs/GPU.md.",
            style="dim",
        )


def _shipped(name: str) -> str:
    """One line about a model that ships."""
    config = json.loads((SHIPPED / name / "config.json").read_text(encoding="utf-8"))
    size = sum(f.stat().st_size for f in (SHIPPED / name).glob("*.safetensors"))
    memory = f"{config['memory_slots']} slots" if config.get("memory_slots") else "no memory"
    needed = config.get(BACKBONE, {}).get("name")
    note = "" if needed is None or is_here(needed) else f"; needs once: lm2 backbone {needed}"
    return (
        f"{name}: {config['num_hidden_layers']} blocks, width {config['hidden_size']}, "
        f"{memory}, {size / 1e6:.1f} MB{note}"
    )


def _table(columns: list[str], rows: list[list[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def _sizes(presets: dict[str, LM2Config]) -> Table:
    rows = []
    for name, config in presets.items():
        made = model_size(config)
        rows.append(
            [
                name,
                f"{config.num_hidden_layers} x {config.hidden_size}",
                f"{config.memory_slots}",
                f"{made.n_backbone / 1e9:.2f} + {made.n_memory / 1e9:.2f} B",
                PAPER.get(name, "-"),
                f"{made.run_bytes / 1e9:.1f} GB",
                f"{made.train_bytes / 1e9:.1f} GB",
            ]
        )
    return _table(
        [
            "preset",
            "blocks\nx width",
            "slots",
            "parameters:\nLlama + memory",
            "in the\npaper",
            "to run",
            "to train",
        ],
        rows,
    )


def _work(presets: dict[str, LM2Config]) -> Table:
    rows, chip = [], CHIPS[PREDICTED_ON]
    for name, config in presets.items():
        work = step_work(TEXT_PRESETS[name], config)
        seconds = step_seconds(TEXT_PRESETS[name], config, chip)
        rows.append(
            [
                name,
                f"{work.n_tokens:,}",
                f"{work.model_flops / 1e12:,.1f}",
                f"{work.memory_share:.0%}",
                f"{work.done_flops / 1e12:,.1f}",
                f"{work.bytes / 1e9:,.0f} GB",
                f"{seconds:.2f} s",
                f"{work.model_flops / seconds / chip.flops_per_s:.0%}",
            ]
        )
    columns = ["preset", "tokens", "TFLOP", "memory's\nshare", "TFLOP\ndone", "bytes\nmoved"]
    return _table([*columns, f"{PREDICTED_ON}:\nstep", f"{PREDICTED_ON}:\nMFU"], rows)
