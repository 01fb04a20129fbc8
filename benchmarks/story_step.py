"""A step of training on stories: different questions once each, against every drawn question on its own.

The second is how it was until 30 November 2026. Both have the same batches, loss and gradients, and are
timed in turn, with drawing and the optimizer's step.

    OMP_NUM_THREADS=1 python benchmarks/story_step.py [--model babi-qa1-10] [--compile]
"""

import argparse
import itertools
from collections.abc import Callable

import torch
import torch.nn.functional as F
from measure import Run, medians
from rich.console import Console
from torch import Tensor

from lm2core.reading.checkpoints import load
from lm2core.reading.continuing import answer_logits
from lm2core.training.batches import Stage, StorySource
from lm2core.training.recipe import PRESETS
from lm2core.training.stages import stages_for
from lm2core.training.stories import batch_logits
from lm2core.training.story_batch import StoryBatch
from lm2core.training.trainer import compile_for_training

Loss = Callable[[torch.nn.Module, StoryBatch], Tensor]
RECIPE = PRESETS["babi-tiny"]
TASKS = tuple(f"qa{i}" for i in range(1, 11))  # of babi-qa1-10
WEIGHTS = dict.fromkeys(TASKS, 1.0)
CONSOLE = Console(width=132, highlight=False)


def once(model: torch.nn.Module, batch: StoryBatch) -> Tensor:
    """The loss as training computes it."""
    logits_QV = batch_logits(model, batch)
    return batch.mean(F.cross_entropy(logits_QV, batch.answer_ids, reduction="none"))


def each(model: torch.nn.Module, batch: StoryBatch) -> Tensor:
    """The loss with a row for every drawn question, with its own copy of the bank and run to the end."""
    drawn = torch.arange(len(batch.tasks)).repeat_interleave(batch.n_asked.long())
    memory = None
    if batch.before_ids.shape[1]:
        with torch.no_grad():
            memory = model(batch.before_ids, (batch.before_ids != 0).long(), logits_to_keep=1).memory
    story = model(batch.story_ids, (batch.story_ids != 0).long(), memory, logits_to_keep=1)
    ids = batch.question_ids[drawn]
    memory = story.memory_at(batch.story[drawn], batch.segment[drawn])
    return F.cross_entropy(answer_logits(model, ids, (ids != 0).long(), memory), batch.answer_ids[drawn])


def step(model: torch.nn.Module, source: StorySource, stage: Stage, loss_of: Loss) -> Run:
    """A run of the next step of a stage."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    numbers = itertools.count()

    def run() -> None:
        loss_of(model, source.batch(next(numbers), stage, WEIGHTS)).backward()
        optimizer.step()
        optimizer.zero_grad()

    return run


def main() -> None:
    """Print a row for each stage in which all tasks are trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="babi-qa1-10", help="a checkpoint, also of a baseline")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--repeats", type=int, default=9, help="steps behind each median")
    chosen = parser.parse_args()
    lm = load(chosen.model, baselines=True)
    model = lm.model.train().requires_grad_(True)
    if chosen.compile:
        compile_for_training(model)
    source = StorySource(
        lm.tokenizer,
        n_stories=RECIPE.n_stories,
        questions_per_sentence=RECIPE.questions_per_sentence,
        seed=0,
    )
    CONSOLE.print(
        "sentences (before)   drawn   different   each drawn   once   ratio   (seconds of the processor)"
    )
    for stage in stages_for(TASKS)[2:]:
        batch = source.batch(0, stage, WEIGHTS)
        runs = {f.__name__: step(model, source, stage, f) for f in (each, once)}
        took = medians(runs, chosen.repeats)
        CONSOLE.print(
            f"{stage.n_sentences:>9} (0 to {stage.n_before:<2})   {int(batch.n_asked.sum()):>5}   "
            f"{len(batch.tasks):>9}   {took['each']:>10.2f}   {took['once']:>4.2f}   "
            f"{took['each'] / took['once']:>5.2f}"
        )


if __name__ == "__main__":
    main()
