"""What a Llama loses where not all of a text is in view: cut into segments, or with a window that slides.

Nats per token of blocks of text. At most ``--view`` tokens are in view: a whole segment of as many, or a
quarter of it as segment and the rest as window before it, without and with sinks. The memory is new and
closed, so that this is the Llama alone. The interval is Student's t over blocks, of the difference.

    python benchmarks/context.py LLAMA TEXT [--view 512 --tokens 2048 --blocks 16]
"""

from pathlib import Path
from statistics import mean

import torch
import typer
from rich.console import Console

from lm2core.evaluation.intervals import mean_half_width
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.text.bpe import open_tokenizer

SINKS = 4  # as in arXiv:2309.17453
CONSOLE = Console(width=100, highlight=False)


@torch.no_grad()
def nats_of_blocks(
    llama: str, blocks: torch.Tensor, length: int, window: int = 0, n_sinks: int = 0
) -> list[float]:
    """The loss of each block (n_blocks, n_tokens), in segments of ``length`` that see ``window`` before."""
    sizes = {"segment_length": length, "attention_window": window, "attention_sinks": n_sinks}
    sizes |= {"memory_slots": 1, "memory_layers": []}
    model = LM2ForCausalLM.from_pretrained(llama, dtype=torch.float32, **sizes).eval()
    return [float(model(block[None], labels=block[None], loss_only=True).loss) for block in blocks]


def main(llama: str, text: Path, view: int = 512, tokens: int = 2_048, blocks: int = 16) -> None:
    """Print the table."""
    tokenizer = open_tokenizer(llama, advice="give the Llama's folder")
    ids = tokenizer(text.read_text(encoding="utf-8"), add_special_tokens=False)["input_ids"]
    rows = torch.tensor(ids[: len(ids) // tokens * tokens]).view(-1, tokens)
    rows = rows[torch.linspace(0, len(rows) - 1, min(blocks, len(rows))).long()]
    whole = nats_of_blocks(llama, rows, tokens)
    CONSOLE.print(f"{text.name}: {len(rows)} blocks of {tokens:,} tokens")
    CONSOLE.print(f"{'all in view':<44}{mean(whole):.3f} nats")
    quarter = view // 4
    for length, window, n_sinks in (
        (view, 0, 0),
        (quarter, view - quarter, 0),
        (quarter, view - quarter - SINKS, SINKS),
    ):
        nats = nats_of_blocks(llama, rows, length, window, n_sinks)
        more = [a - b for a, b in zip(nats, whole, strict=True)]
        CONSOLE.print(
            f"{f'segment {length}, window {window}, {n_sinks} sinks':<44}{mean(nats):.3f} nats, "
            f"{mean(more):+.3f} ± {mean_half_width(more):.3f}"
        )


if __name__ == "__main__":
    typer.run(main)
