"""Train an LM2, or a baseline, as a language model on any text with transformers' Trainer.

The loss is the next-token cross entropy of packed blocks; a bank lasts for one block. The examples are a
function of text and seed, so a resumed run gives the same result as one without interruption.
"""

import math
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase, TrainingArguments, set_seed

from lm2core.baselines.architectures import Model, check_architecture
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.sizes import model_size
from lm2core.model.work import token_work
from lm2core.text.bpe import open_tokenizer, train_tokenizer
from lm2core.text.corpus import Corpus, open_corpus
from lm2core.text.packing import PackedText, Packer
from lm2core.training.devices import check_bf16, check_memory, this_chip
from lm2core.training.run_folder import (
    SKIPS_FILE,
    begin,
    check_start,
    n_processes,
    n_processes_of,
    report_full_disk,
)
from lm2core.training.text_models import MODELS, config_of, new_model
from lm2core.training.text_recipe import TextRecipe, share_out
from lm2core.training.trainer import (
    RunTrainer,
    check_devices,
    check_reports,
    common_arguments,
    compile_for_training,
    run,
)
from lm2core.training.utilization import Utilization

SAMPLE_PIECE_CHARS = 16_384  # of the pieces a tokenizer is trained on
TOKENIZER_HELP = "restore the tokenizer* files of the run, or start in another folder"


class TextTrainer(RunTrainer):
    """transformers' Trainer on packed text."""

    def __init__(self, *, backprop_segments: int = 0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._backprop_segments = backprop_segments

    def compute_loss(self, model: torch.nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Mean next-token cross entropy in nats; gradients are truncated at ``backprop_segments`` if set."""
        inputs = inputs | {"loss_only": True}
        if model.training and self._backprop_segments:
            inputs = inputs | {"backprop_segments": self._backprop_segments}
        return super().compute_loss(model, inputs, *args, **kwargs)

    def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
        """Count the tokens of all processes without asking them: all blocks are equally long."""
        self.state.num_input_tokens_seen += inputs["input_ids"].numel() * self.args.world_size

    def get_decay_parameter_names(self, model: torch.nn.Module) -> list[str]:
        """Matrices of linear layers only: biases, norms, embeddings and slot keys do not decay."""
        linear = (name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear))
        return [f"{name}.weight" for name in linear]

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the perplexity, exp of the loss, to the metrics of an evaluation."""
        if "eval_loss" in logs:
            logs["eval_perplexity"] = math.exp(min(logs["eval_loss"], 700.0))
        super().log(logs, start_time)


def train_text(recipe: TextRecipe, out: str | Path, *, resume: bool = False) -> Model:
    """Train by ``recipe`` and write model, tokenizer, recipe, metrics and checkpoints to the folder ``out``.

    Raises
    ------
    UserError
        For a text or tokenizer that cannot be used; for a folder, as ``lm2core.training.stories.train``; and
        when ``MAX_SKIPPED_IN_A_ROW`` steps in a row are not finite (the newest checkpoint is still good).
    """
    out = Path(out)
    check_devices()
    check_reports(recipe.report_to)
    _check_options(recipe)
    if recipe.bf16:
        check_bf16()
    checkpoint = check_start(recipe, out, resume=resume, last_file=SKIPS_FILE, any_n_processes=True)
    shares = share_out(recipe, n_processes_of(out), n_processes())
    corpus = open_corpus(recipe.text)
    tokenizer = open_tokenizer(str(out), advice=TOKENIZER_HELP) if resume else _new_tokenizer(recipe, corpus)
    if tokenizer.eos_token_id is None:
        raise UserError(
            f"the tokenizer {tokenizer.name_or_path!r} has no end-of-text token to join documents; "
            "set its eos_token and save it"
        )
    config = config_of(recipe, tokenizer)
    packer = Packer(
        corpus=corpus,
        tokenizer=tokenizer,
        block_length=recipe.n_segments * config.segment_length,
        held_out_every=recipe.held_out_every,
    )
    packer.check_enough()  # before making a folder or a model
    check_memory(recipe.llama or recipe.model, model_size(config), only_memory_trained=recipe.freeze_backbone)
    set_seed(recipe.seed)
    model = new_model(recipe, config)
    begin(recipe, out)
    if recipe.compile:
        compile_for_training(model)
    arguments = _arguments(shares, out)
    if arguments.process_index == 0:
        with report_full_disk(out):
            tokenizer.save_pretrained(out)  # now, so that a resumed run has it
    trainer = TextTrainer(
        tokenizer=tokenizer,
        model=model,
        args=arguments,
        train_dataset=PackedText(packer, n_shuffle=recipe.n_shuffle, seed=recipe.seed),
        eval_dataset=packer.held_out_blocks(recipe.n_eval_blocks),
        backprop_segments=recipe.backprop_segments,
    )
    chip = this_chip()
    if chip is not None and isinstance(model, LM2ForCausalLM):
        flops_per_token = 3 * token_work(config, config.segment_length).flops
        trainer.add_callback(Utilization(flops_per_token=flops_per_token, flops_per_s=chip.flops_per_s))
    run(trainer, out, checkpoint)
    return model


def _new_tokenizer(recipe: TextRecipe, corpus: Corpus) -> PreTrainedTokenizerBase:
    if recipe.tokenizer:
        otherwise = "use the Llama's own" if recipe.llama else "train one"
        return open_tokenizer(recipe.tokenizer, advice=f"give a folder, or omit it to {otherwise}")
    if recipe.llama:
        return open_tokenizer(recipe.llama, advice="give the Llama's tokenizer: --tokenizer FOLDER")
    return train_tokenizer((piece.text for piece in corpus(SAMPLE_PIECE_CHARS)), vocab_size=recipe.vocab_size)


def _check_options(recipe: TextRecipe) -> None:
    """Refuse incompatible options before opening anything."""
    check_architecture(recipe.architecture)
    if recipe.backprop_segments and recipe.architecture.startswith("llama"):
        raise UserError(
            f"{recipe.architecture} has no memory at which to truncate gradients; omit --backprop-segments"
        )
    if not recipe.llama and recipe.model not in MODELS:
        raise UserError(f"preset {recipe.model!r} gives a Llama a memory; add --llama FOLDER")
    if not recipe.llama and recipe.freeze_backbone:
        raise UserError("--freeze-backbone needs a Llama; add --llama FOLDER")
    sizes = ("memory_slots", "memory_layers", "attention_window")
    if recipe.architecture != "lm2" and any(getattr(recipe, name) is not None for name in sizes):
        raise UserError(
            f"{recipe.architecture} has no memory of chosen size and no attention window; omit "
            "--memory-slots, --memory-layers and --attention-window"
        )
    if recipe.llama and recipe.architecture != "lm2":
        raise UserError(f"--llama gives a Llama LM2's memory, not {recipe.architecture}; omit one of the two")
    if recipe.llama and not recipe.memory_slots:
        raise UserError(f"{recipe.llama} needs a size for its new memory; add --memory-slots N")


def _arguments(recipe: TextRecipe, out: Path) -> TrainingArguments:
    return TrainingArguments(
        **common_arguments(recipe, out),
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=1,  # so that blocks have equal weight with any number of processes
        gradient_accumulation_steps=recipe.accumulate,
        activation_checkpointing=recipe.checkpointing,
        bf16=recipe.bf16,
        lr_scheduler_type="cosine",
        adam_beta2=0.95,
        eval_strategy="steps",
        eval_steps=recipe.eval_every,
        prediction_loss_only=True,
        include_num_input_tokens_seen="all",
        # With gradients through one segment only, no write gets a gradient.
        ddp_find_unused_parameters=recipe.backprop_segments == 1 or recipe.n_segments == 1,
    )
