"""Measurements of a trained model and of its controls, as JSON values."""

import json
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from math import exp, log
from pathlib import Path
from typing import Any

from lm2core.compare.bank_change import bank_change
from lm2core.compare.story_set import StorySet
from lm2core.reading.loaded_model import LoadedModel, untrained
from lm2core.text.corpus import open_corpus
from lm2core.text.packing import Packer
from lm2core.training.progress import last_logged
from lm2core.training.recipe import Recipe
from lm2core.training.stages import stages_for
from lm2core.training.text_models import MODELS
from lm2core.training.text_recipe import TextRecipe

METRICS_FILE = "metrics.jsonl"
MASTERED = 0.95  # running accuracy of a model that has learned its stories
N_UNTRAINED = 50  # stories of each set that the untrained model is asked about


def measure_on_stories(
    lm: LoadedModel, recipe: Recipe, tests: Sequence[StorySet], folder: Path
) -> dict[str, Any]:
    """How fast it learned, accuracy on each of ``tests``, and how much reading changes the bank of an LM2."""
    new = untrained(lm, recipe.seed)
    numbers: dict[str, Any] = {
        "learning": learning(folder, recipe.tasks[0], n_stages=len(stages_for(recipe.tasks))),
        "scores": [test.score(lm) for test in tests],
        "untrained": [test.score(new, N_UNTRAINED) for test in tests],
    }
    if recipe.architecture == "lm2" and tests:
        task = recipe.tasks[0]
        numbers["bank_change"] = {"trained": bank_change(lm, task), "untrained": bank_change(new, task)}
    return numbers


def learning(folder: Path, task: str, *, n_stages: int) -> dict[str, Any]:
    """Where training ended: the stage, from 0, and the running accuracy in [0, 1] on its fresh stories.

    ``steps_to_mastery``: the first step at which that accuracy was ``MASTERED`` in the last stage, or None.
    """
    steps = [json.loads(line) for line in (folder / METRICS_FILE).read_text(encoding="utf-8").splitlines()]
    seen = [(step["step"], step["stage"], step[f"accuracy_{task}"]) for step in steps if "stage" in step]
    mastered = [step for step, stage, accuracy in seen if stage == n_stages - 1 and accuracy >= MASTERED]
    _, stage, accuracy = seen[-1]
    return {
        "stage": stage,
        "n_stages": n_stages,
        "accuracy": accuracy,
        "steps_to_mastery": min(mastered, default=None),
    }


def measure_on_text(lm: LoadedModel, recipe: TextRecipe, folder: Path) -> dict[str, Any]:
    """Perplexity of the held-out text, that of a unigram model as control, and a digest of the text."""
    packer = Packer(
        corpus=open_corpus(recipe.text),
        tokenizer=lm.tokenizer,
        block_length=recipe.n_segments * MODELS[recipe.model](vocab_size=2).segment_length,
        held_out_every=recipe.held_out_every,
    )
    held_out = [b["input_ids"].tolist() for b in packer.held_out_blocks(recipe.n_eval_blocks)]
    numbers = last_logged(folder / METRICS_FILE)
    return {
        "loss": numbers["eval_loss"],
        "perplexity": numbers["eval_perplexity"],
        "n_tokens": sum(map(len, held_out)),
        "perplexity_of_frequencies": exp(_loss_of_frequencies(packer, held_out)),
        "text_sha256": sha256(Path(recipe.text).read_bytes()).hexdigest(),
    }


def _loss_of_frequencies(packer: Packer, held_out: list[list[int]]) -> float:
    """Nats per held-out token under a unigram model of the training share with add-one smoothing."""
    counts = Counter(token for ids in packer.ids(held_out=False) for token in ids)
    n_ids = len(packer.tokenizer)
    total = counts.total() + n_ids
    losses = [log(total / (counts[token] + 1)) for ids in held_out for token in ids]
    return sum(losses) / len(losses)
