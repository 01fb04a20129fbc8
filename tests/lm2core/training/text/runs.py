"""A short recipe, and what is looked at of the runs it makes."""

import json

import torch

from lm2core.training.text_recipe import TextRecipe

SHORT = TextRecipe(
    model="test",
    vocab_size=300,
    n_segments=3,
    batch_size=4,
    n_steps=6,
    n_warmup_steps=2,
    n_shuffle=5,
    n_eval_blocks=3,
    save_every=2,
    log_every=1,
    eval_every=4,
)


def lines(out, name: str = "loss") -> list[float]:
    logged = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return [line[name] for line in logged if name in line]


def same_weights(one, other, **tolerance) -> bool:
    pairs = zip(one.parameters(), other.parameters(), strict=True)
    if tolerance:
        return all(torch.allclose(a, b, **tolerance) for a, b in pairs)
    return all(torch.equal(a, b) for a, b in pairs)
