"""Train an LM2, or a baseline, on fresh bAbI stories or on a user's own with transformers' Trainer.

The loss is the cross entropy of the answer only. A batch is a function of its number, the seed and the
curriculum, which is saved with every checkpoint, so a resumed run equals one without interruption.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, TrainingArguments, set_seed

from lm2core.babilong.background_text import open_noise
from lm2core.baselines.architectures import Model, check_architecture, make_model
from lm2core.errors import UserError
from lm2core.model.config import LM2Config, babi_tiny
from lm2core.training.batches import StorySource
from lm2core.training.curriculum import Curriculum
from lm2core.training.own_batches import OwnStorySource, StoriesByTask
from lm2core.training.own_stories import open_own_stories
from lm2core.training.recipe import Recipe
from lm2core.training.run_folder import STAGE_FILE, begin, check_start, is_first_process
from lm2core.training.story_batch import StoryBatch
from lm2core.training.story_data import make_curriculum, make_source, make_tokenizer, with_own_tasks
from lm2core.training.trainer import (
    RunTrainer,
    check_devices,
    check_reports,
    common_arguments,
    compile_for_training,
    run,
)
from lm2core.training.warm_start import start_model


def batch_logits(model: torch.nn.Module, batch: StoryBatch) -> Tensor:
    """Logits (Q,V) of the answers: stories are written to memory, questions only read from it.

    The memory after every sentence is kept, and all questions are run as one batch, each with the memory of
    its story at the time it is asked. LM2 takes its keys and values from the story, whose next sentence reads
    the same bank. Of a question the last token alone is run to the end (``last_token_only``).
    """
    memory = None
    if batch.before_ids.shape[1]:
        with torch.no_grad():
            memory = model(batch.before_ids, _mask(batch.before_ids), logits_to_keep=1).memory
    story = model(batch.story_ids, _mask(batch.story_ids), memory, logits_to_keep=1)
    memory = story.keyed_at(batch.story, batch.segment)
    ids_Q1T = batch.question_ids[:, None]
    asked = model(ids_Q1T, _mask(ids_Q1T), memory, write_memory=False, last_token_only=True)
    logits_QV: Tensor = asked.logits[:, 0, 0]
    return logits_QV


def _mask(ids: Tensor) -> Tensor:
    return (ids != 0).long()


class StepNumbers(Dataset[dict[str, Tensor]]):
    """A data set whose item i is the number i, from which batch i is generated."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items

    def __len__(self) -> int:
        return self._n_items

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"index": torch.tensor(index)}


class StoryTrainer(RunTrainer):
    """transformers' Trainer on batches drawn for the current stage of a curriculum.

    Its ``eval_dataset`` is held-out stories by task, if there are any; then ``source`` has their batches.
    """

    last_file = STAGE_FILE

    def __init__(
        self, *, source: StorySource | OwnStorySource, curriculum: Curriculum, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.source, self.curriculum = source, curriculum

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """Mean cross entropy of the answers in nats; also records the accuracy in the curriculum."""
        curriculum = self.curriculum
        batch = self.source.batch(int(inputs["index"]), curriculum.stage, curriculum.weights).to(
            self.args.device
        )
        logits_QV = batch_logits(model, batch)
        is_right = (logits_QV.argmax(-1) == batch.answer_ids).float()
        self.curriculum.record(self._accuracy(is_right, batch))
        return batch.mean(F.cross_entropy(logits_QV, batch.answer_ids, reduction="none"))

    def _accuracy(self, is_right: Tensor, batch: StoryBatch) -> dict[str, float]:
        """Share of correct answers by task, over all processes."""
        names = self.curriculum.stage.tasks
        counts = torch.zeros(len(names), 2, device=is_right.device)
        for i, name in enumerate(names):
            is_its = torch.tensor([task == name for task in batch.tasks], device=is_right.device)
            n_asked = batch.n_asked * is_its
            counts[i] = torch.stack([(is_right * n_asked).sum(), n_asked.sum()])
        counts = self.accelerator.reduce(counts)
        return {n: float(right / total) for n, (right, total) in zip(names, counts, strict=True) if total}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the stage and the running accuracies to the logged metrics."""
        if "loss" in logs:
            logs["stage"] = self.curriculum.index
            logs |= {f"accuracy_{task}": value for task, value in self.curriculum.accuracy.items()}
        super().log(logs, start_time)

    @torch.no_grad()
    def evaluate(self, eval_dataset: StoriesByTask | None = None, *_: Any, **__: Any) -> dict[str, float]:
        """Loss (nats) and accuracy (a fraction) of all questions about the held-out stories."""
        assert isinstance(self.source, OwnStorySource)
        model = self.accelerator.unwrap_model(self.model).eval()
        loss = right = n = 0.0
        for whole in self.source.whole(eval_dataset or self.eval_dataset):
            batch = whole.to(self.args.device)
            logits_QV = batch_logits(model, batch)
            loss += float(batch.total(F.cross_entropy(logits_QV, batch.answer_ids, reduction="none")))
            right += float(batch.total((logits_QV.argmax(-1) == batch.answer_ids).float()))
            n += float(batch.n_asked.sum())
        metrics = {"eval_loss": loss / n, "eval_accuracy": right / n}
        self.log(dict(metrics))
        state, before = self.state, self.control  # type: ignore[has-type]
        self.control = self.callback_handler.on_evaluate(self.args, state, before, metrics)
        return metrics

    def save_last(self, folder: Path) -> None:
        """Add the position in the curriculum to a checkpoint, after everything else."""
        super().save_last(folder)
        self.curriculum.save(folder / STAGE_FILE)

    def restore(self, folder: Path) -> None:
        """Restore the position in the curriculum."""
        super().restore(folder)
        self.curriculum.restore(folder / STAGE_FILE)


def train(recipe: Recipe, out: str | Path, *, resume: bool = False) -> Model:
    """Train by ``recipe`` and write model, tokenizer, recipe, metrics and checkpoints to the folder ``out``.

    Raises
    ------
    UserError
        When ``out`` is not empty and ``resume`` is False, has no run and it is True, or cannot be written.
        For own stories as ``open_own_stories``, and when a run is resumed with others.
    """
    out = Path(out)
    check_devices()
    check_reports(recipe.report_to)
    check_architecture(recipe.architecture)
    if recipe.noise is None and recipe.segment_length != Recipe().segment_length:
        raise UserError(
            "--segment-length cuts background text, and stories have none; add --noise, or omit it"
        )
    own = None if recipe.stories is None else open_own_stories(recipe.stories)
    if own is not None:
        recipe = with_own_tasks(recipe, own)
    curriculum = make_curriculum(recipe, own)  # refuses unknown tasks before a folder is made
    checkpoint = check_start(recipe, out, resume=resume, last_file=STAGE_FILE)
    if own is not None and resume:
        own.check_same(out)
    set_seed(recipe.seed)
    noise = None if recipe.noise is None else open_noise(recipe.noise, split="train")
    tokenizer = make_tokenizer(recipe, own, noise)
    model = _start(recipe, tokenizer)
    begin(recipe, out)  # only after every option is checked, so that a wrong one leaves no empty run
    if own is not None and is_first_process():
        own.save(out)
    if recipe.compile:
        compile_for_training(model)
    arguments = _arguments(recipe, out)
    trainer = StoryTrainer(
        tokenizer=tokenizer,
        model=model,
        args=arguments,
        train_dataset=StepNumbers(recipe.n_steps * arguments.world_size),  # each process has its own
        eval_dataset=None if own is None else own.held_out,
        source=make_source(recipe, own, noise, tokenizer),
        curriculum=curriculum,
    )
    run(trainer, out, checkpoint)
    return model


def _start(recipe: Recipe, tokenizer: PreTrainedTokenizerBase) -> Model:
    """The model that training starts with."""
    sizes = {"memory_slots": recipe.memory_slots, "memory_layers": recipe.memory_layers}
    chosen = {name: value for name, value in sizes.items() if value is not None}
    if recipe.noise is not None and recipe.architecture != "llama-full":  # has no segments
        chosen["segment_length"] = recipe.segment_length
    if recipe.start_from is not None:
        return start_model(recipe.start_from, tokenizer, recipe.architecture, chosen)
    config = babi_tiny(vocab_size=len(tokenizer))
    return make_model(LM2Config.from_dict(config.to_dict() | chosen), recipe.architecture)


def _arguments(recipe: Recipe, out: Path) -> TrainingArguments:
    return TrainingArguments(
        **common_arguments(recipe, out),
        per_device_train_batch_size=1,  # an item is the number of a whole batch
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={
            "num_decay_steps": max(1, round(recipe.decay_share * recipe.n_steps)),
            "decay_type": "linear",
        },
        adam_beta2=0.98,
        eval_strategy="no" if recipe.stories is None else "steps",
        eval_steps=recipe.save_every,
    )
