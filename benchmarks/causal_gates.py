"""Does the public code's memory see the future, and does a running mean in its gates fix it?

Trains a two-block model of lm2core/reference/causal_lm.py on independent uniform random tokens, fresh at
every step. Each token is one of four, so no model that sees only the past can be below ln 4. Once with the
gates' mean over the whole text, as published, once with a running mean. The targets are the next tokens.
The last position's target is not in the text at all and is the control: looking ahead cannot help there.

    python benchmarks/causal_gates.py                    # about 5 minutes on one core
"""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
import typer
from numpy.typing import NDArray
from transformers import get_cosine_schedule_with_warmup

from lm2core.reference.causal_lm import ReferenceConfig, ReferenceForCausalLM

N_VALUES = 4  # token values, equally likely: ln 4 nats cannot be beaten
N_TOKENS = 32  # of a text; also slots and width
BATCH = 64
LEARNING_RATE = 3e-3
WARM_UP = 100  # optimizer steps
LAST = 100  # optimizer steps over which the final loss is averaged
BIN = 20  # optimizer steps averaged to one point of the curve
FLOOR = math.log(N_VALUES)
POSITIONS = {
    "first": 0, "middle": N_TOKENS // 2, "last-2": N_TOKENS - 3, "last-1": N_TOKENS - 2, "last": N_TOKENS - 1
}  # fmt: skip
# Whether gates are causal, colour, and place of the label in pixels below the end of the curve.
RUNS = {"mean over the whole text": (False, "#c2410c", 20), "running mean": (True, "#1d4ed8", -8)}


def train(*, causal_gates: bool, n_steps: int, seed: int) -> NDArray[np.float64]:
    """Loss in nats of every step and position, ndarray of shape (n_steps, N_TOKENS)."""
    torch.manual_seed(seed)
    config = ReferenceConfig(
        vocab_size=N_VALUES,
        hidden_size=N_TOKENS,
        memory_slots=N_TOKENS,
        intermediate_size=2 * N_TOKENS,
        num_hidden_layers=2,
        causal_gates=causal_gates,
    )
    model = ReferenceForCausalLM(config).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE)
    schedule = get_cosine_schedule_with_warmup(optimizer, WARM_UP, n_steps)
    data, losses = torch.Generator().manual_seed(seed), np.empty((n_steps, N_TOKENS))
    for step in range(n_steps):
        ids_BT = torch.randint(N_VALUES, (BATCH, N_TOKENS + 1), generator=data)
        logits_BTV = model(ids_BT[:, :-1]).logits  # no memory given: the bank is the identity again
        loss_BT = F.cross_entropy(logits_BTV.transpose(1, 2), ids_BT[:, 1:], reduction="none")
        optimizer.zero_grad()
        loss_BT.mean().backward()
        optimizer.step()
        schedule.step()
        losses[step] = loss_BT.detach().mean(0).numpy()
    return losses


def table(losses: dict[str, NDArray[np.float64]]) -> Iterator[str]:
    """Markdown: mean loss of the last steps, over all positions (with its standard error) and at some."""
    yield f"| gates see | all positions | {' | '.join(POSITIONS)} |"
    yield "|---|---|" + "---|" * len(POSITIONS)
    for name, loss in losses.items():
        late = loss[-LAST:]
        error = late.mean(1).std(ddof=1) / len(late) ** 0.5
        places = " | ".join(f"{late[:, t].mean():.3f}" for t in POSITIONS.values())
        yield f"| {name} | {late.mean():.4f} ± {error:.4f} | {places} |"
    yield f"| no look ahead, at best | {FLOOR:.4f} | {' | '.join([f'{FLOOR:.3f}'] * len(POSITIONS))} |"


def picture(losses: dict[str, NDArray[np.float64]]) -> str:
    """The curves as an SVG: loss over steps, each point a mean of ``BIN`` steps, and the floor."""
    left, right, top, bottom = 64, 616, 48, 330
    n_steps = len(next(iter(losses.values())))
    curves = {
        name: loss[: n_steps // BIN * BIN].mean(1).reshape(-1, BIN).mean(1) for name, loss in losses.items()
    }
    low = math.floor(min(c.min() for c in curves.values()) * 10 - 0.5) / 10
    high = math.ceil(max(c.max() for c in curves.values()) * 10 + 0.5) / 10

    def x(step: float) -> float:
        return left + (right - left) * step / n_steps

    def y(loss: float) -> float:
        return bottom - (bottom - top) * (loss - low) / (high - low)

    def text(at_x: float, at_y: float, words: str, more: str = "") -> str:
        return f'<text x="{at_x:.1f}" y="{at_y:.1f}" {more}>{words}</text>'

    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 384" '
        'font-family="sans-serif" font-size="12">',
        "<title>Training loss on random tokens, with the published gates and with a running mean</title>",
        '<rect width="640" height="384" fill="#ffffff"/>',
        text(
            left, 26, "Random tokens: below ln 4 only by seeing the future", 'font-size="15" fill="#111827"'
        ),
    ]
    for tick in np.linspace(low, high, round((high - low) * 10) + 1):
        parts.append(f'<path d="M{left} {y(tick):.1f}H{right}" stroke="#e5e7eb"/>')
        parts.append(text(left - 8, y(tick) + 4, f"{tick:.1f}", 'text-anchor="end" fill="#374151"'))
    for step in np.linspace(0, n_steps, 7):
        parts.append(text(x(step), bottom + 18, f"{step:,.0f}", 'text-anchor="middle" fill="#374151"'))
    parts.append(
        text((left + right) / 2, bottom + 40, "optimizer step", 'text-anchor="middle" fill="#111827"')
    )
    turned = f'text-anchor="middle" fill="#111827" transform="rotate(-90 18 {(top + bottom) / 2})"'
    parts.append(text(18, (top + bottom) / 2, "loss (nats)", turned))
    for name, curve in curves.items():
        _, colour, below = RUNS[name]
        points = " ".join(f"{x((i + 0.5) * BIN):.1f},{y(loss):.1f}" for i, loss in enumerate(curve))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>')
        halo = 'paint-order="stroke" stroke="#ffffff" stroke-width="4"'
        end = f'text-anchor="end" fill="{colour}" {halo}'
        parts.append(text(right, y(curve[-1]) + below, name, end))
    parts.append(f'<path d="M{left} {y(FLOOR):.1f}H{right}" stroke="#111827" stroke-dasharray="5 4"/>')
    parts.append(text(right, y(FLOOR) + 17, f"floor: ln 4 = {FLOOR:.4f}", 'text-anchor="end" fill="#111827"'))
    return "\n".join([*parts, "</svg>"]) + "\n"


def main(steps: int = 3000, seed: int = 0, out: Path = Path("docs/causal-gates.svg")) -> None:
    """Train both models, print a table of their last losses, draw the curves to OUT."""
    losses = {
        name: train(causal_gates=causal, n_steps=steps, seed=seed) for name, (causal, *_) in RUNS.items()
    }
    typer.echo("\n".join(table(losses)))
    out.write_text(picture(losses), encoding="utf-8")


if __name__ == "__main__":
    typer.run(main)
