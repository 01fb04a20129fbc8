"""Train an LM2 on fresh bAbI stories with transformers' Trainer.

The loss is the cross entropy of the answer alone. A batch is a function of seed, step and curriculum, and the
curriculum is saved with every checkpoint, so a resumed run goes on as if it had never stopped.
"""

import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor
from torch.utils.data import Dataset
from transformers import PreTrainedTokenizerBase, PrinterCallback, Trainer, TrainingArguments, set_seed

from lm2core.babi.tasks import get_task
from lm2core.config import babi_tiny
from lm2core.curriculum import Curriculum
from lm2core.data import Stage, StoryBatch, StorySource, babi_words
from lm2core.files import write_whole
from lm2core.model import LM2ForCausalLM
from lm2core.progress import ProgressLog
from lm2core.tokenizer import word_tokenizer

STAGE_FILE = "curriculum.json"  # written last: a checkpoint without it was cut short


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a preset is trained."""

    tasks: tuple[str, ...] = ("qa1", "qa2", "qa3")
    n_steps: int = 8_000  # optimizer steps
    n_stories: int = 32  # per step and process
    questions_per_sentence: float = 2.0
    learning_rate: float = 1e-3
    n_warmup_steps: int = 100
    decay_share: float = 0.9  # of the steps, at the end, in which the learning rate falls to zero
    weight_decay: float = 0.01
    seed: int = 0
    save_every: int = 250  # optimizer steps
    log_every: int = 10  # optimizer steps
    compile: bool = False  # torch.compile of one segment: about 1.6 times as fast after a minute's wait


PRESETS = {"babi-tiny": Recipe()}


def stages_for(tasks: Sequence[str]) -> tuple[Stage, ...]:
    """Few sentences about persons first, then objects join, then stories grow to the real lengths."""
    for task in tasks:
        get_task(task)
    persons = [Stage(("qa1",), 3), Stage(("qa1",), 6)]
    if set(tasks) == {"qa1"}:
        return (*persons, Stage(("qa1",), 10))
    everything = [Stage(tuple(tasks), n) for n in (6, 10, 16)]
    return (*persons, *everything, *(Stage(tuple(tasks), 16, n_before=n) for n in (24, 80)))


def answer_logits(model: torch.nn.Module, batch: StoryBatch) -> Tensor:
    """Logits (Q,V) of the answers: stories are read and written, questions are read only.

    The bank after every sentence is kept, and all questions go through in one batch, each with the bank of
    its story at its time.
    """
    memory = None
    if batch.before_ids.shape[1]:
        with torch.no_grad():
            memory = model(batch.before_ids, _mask(batch.before_ids)).memory
    story = model(batch.story_ids, _mask(batch.story_ids), memory)
    banks_BSND = torch.stack(story.memory_per_segment, dim=1)
    ids = batch.question_ids[:, None]
    output = model(ids, _mask(ids), banks_BSND[batch.story, batch.segment], write_memory=False)
    last = (batch.question_ids != 0).sum(dim=1) - 1
    return output.logits[torch.arange(len(last)), 0, last]


def _mask(ids: Tensor) -> Tensor:
    return (ids != 0).long()


class StepNumbers(Dataset[dict[str, Tensor]]):
    """The data set of a generator: item i is the number i, from which batch i is drawn."""

    def __init__(self, n_items: int) -> None:
        self._n_items = n_items

    def __len__(self) -> int:
        return self._n_items

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"index": torch.tensor(index)}


class StoryTrainer(Trainer):
    """transformers' Trainer on batches drawn for the curriculum's stage."""

    def __init__(self, *, source: StorySource, curriculum: Curriculum, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.source, self.curriculum = source, curriculum

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Tensor], *_: Any, **__: Any) -> Tensor:
        """Mean cross entropy of the answers in nats; the curriculum sees the accuracy of all processes."""
        curriculum = self.curriculum
        batch = self.source.batch(int(inputs["index"]), curriculum.stage, curriculum.weights).to(
            self.args.device
        )
        logits_QV = answer_logits(model, batch)
        is_right = (logits_QV.argmax(-1) == batch.answer_ids).float()
        self.curriculum.record(self._accuracy(is_right, batch.tasks))
        return F.cross_entropy(logits_QV, batch.answer_ids)

    def _accuracy(self, is_right: Tensor, tasks: Sequence[str]) -> dict[str, float]:
        """Share of right answers by task, over all processes."""
        names = self.curriculum.stage.tasks
        counts = torch.zeros(len(names), 2, device=is_right.device)
        for i, name in enumerate(names):
            mine = torch.tensor([task == name for task in tasks], device=is_right.device)
            counts[i] = torch.stack([is_right[mine].sum(), mine.sum()])
        counts = self.accelerator.reduce(counts)
        return {n: float(right / total) for n, (right, total) in zip(names, counts, strict=True) if total}

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the stage and the running accuracies to what the Trainer logs."""
        if "loss" in logs:
            logs["stage"] = self.curriculum.index
            logs |= {f"accuracy_{task}": value for task, value in self.curriculum.accuracy.items()}
        super().log(logs, start_time)

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            self.curriculum.save(folder / STAGE_FILE)


def train(recipe: Recipe, out: str | Path, *, resume: bool = False) -> LM2ForCausalLM:
    """Train by ``recipe`` and leave model, tokenizer, recipe, metrics and checkpoints in the folder ``out``.

    Raises
    ------
    ValueError
        When ``out`` holds a run and ``resume`` is False, holds none and it is True, or cannot be written.
    """
    out = Path(out)
    checkpoint = _start_or_resume(out, resume=resume)
    set_seed(recipe.seed)
    tokenizer = word_tokenizer(babi_words())
    model = LM2ForCausalLM(babi_tiny(vocab_size=len(tokenizer)))
    if recipe.compile:
        model.compile_segments()
    curriculum = Curriculum(stages_for(recipe.tasks))
    if checkpoint is not None:
        curriculum.restore(checkpoint / STAGE_FILE)
    arguments = _arguments(recipe, out)
    trainer = StoryTrainer(
        model=model,
        args=arguments,
        train_dataset=StepNumbers(recipe.n_steps * arguments.world_size),  # no batch is drawn twice
        source=StorySource(
            tokenizer,
            n_stories=recipe.n_stories,
            questions_per_sentence=recipe.questions_per_sentence,
            seed=recipe.seed,
        ),
        curriculum=curriculum,
        callbacks=[ProgressLog(out / "metrics.jsonl")],
    )
    trainer.remove_callback(PrinterCallback)  # ProgressLog shows the same, beside a bar
    with _full_disk_told(out):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        if trainer.is_world_process_zero():
            save_model(model, tokenizer, recipe, out)
    return model


def save_model(model: LM2ForCausalLM, tokenizer: PreTrainedTokenizerBase, recipe: Recipe, out: Path) -> None:
    """Put config, tokenizer, ``training.json`` and weights into ``out``: each file whole, weights last."""
    with tempfile.TemporaryDirectory(prefix=".model.", dir=out) as name:
        folder = Path(name)
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_whole(folder / "training.json", json.dumps(asdict(recipe), indent=2))
        for file in sorted(folder.iterdir(), key=lambda f: f.suffix == ".safetensors"):
            os.replace(file, out / file.name)


@contextmanager
def _full_disk_told(out: Path) -> Iterator[None]:
    """Say in one line that a checkpoint could not be written; the one before it is whole."""
    try:
        yield
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, RuntimeError):  # how torch's zip writer reports a failed write
            if "inline_container" not in reason:
                raise
            reason = "a checkpoint could not be written whole, the disk may be full"
        raise ValueError(
            f"cannot write to {out}: {reason}; make room there, then go on with --resume"
        ) from error


def _start_or_resume(out: Path, *, resume: bool) -> Path | None:
    """The newest complete checkpoint of ``out``, or None for a new run in a folder made for it."""
    numbers = [int(f.parent.name.split("-")[-1]) for f in out.glob(f"checkpoint-*/{STAGE_FILE}")]
    if resume and not numbers:
        raise ValueError(f"nothing to resume in {out}: no complete checkpoint there; start without --resume")
    if not resume and out.exists() and any(out.iterdir()):
        raise ValueError(f"{out} is not empty; choose another folder, or go on with its run: --resume")
    try:
        out.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            pass
    except OSError as error:
        raise ValueError(f"cannot write to {out}: {error.strerror}; choose another folder") from None
    return out / f"checkpoint-{max(numbers)}" if resume else None


def _arguments(recipe: Recipe, out: Path) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(out),
        max_steps=recipe.n_steps,
        per_device_train_batch_size=1,  # one item is the number of one whole batch
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="warmup_stable_decay",
        lr_scheduler_kwargs={
            "num_decay_steps": max(1, round(recipe.decay_share * recipe.n_steps)),
            "decay_type": "linear",
        },
        warmup_steps=min(recipe.n_warmup_steps, recipe.n_steps // 2),
        weight_decay=recipe.weight_decay,
        adam_beta2=0.98,
        max_grad_norm=1.0,
        seed=recipe.seed,
        logging_steps=recipe.log_every,
        save_steps=recipe.save_every,
        save_total_limit=2,  # while one is being written the other is whole
        remove_unused_columns=False,
        disable_tqdm=True,  # ProgressLog draws the bar
        report_to="none",
        use_cpu=not torch.cuda.is_available(),
    )
