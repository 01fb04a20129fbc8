"""Train a memory beside a frozen Llama: record its streams once, then three stages that need no Llama.

Each finished part is kept in the run's folder (``streams.safetensors``, ``stage-*.safetensors``), so that a
run that was cut short goes on with the part that it was in.
"""

import json
from pathlib import Path
from random import Random

import torch
from safetensors.torch import load_file, save_file
from tqdm.auto import tqdm
from transformers import PreTrainedTokenizerBase, set_seed

from lm2core.babilong.background_text import open_noise
from lm2core.errors import UserError
from lm2core.files import atomic_path
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.from_llama import llama_config, lm2_config
from lm2core.reading.backbones import find_backbone
from lm2core.reading.memory_weights import PART, save_memory
from lm2core.text.bpe import open_tokenizer
from lm2core.text.sentence_tokens import begin_sentences
from lm2core.training.beside import layout
from lm2core.training.beside.addresses import N_BACKGROUND
from lm2core.training.beside.contents import seen_at
from lm2core.training.beside.examples import Examples, load_examples, record_examples, save_examples
from lm2core.training.beside.pairs import held_out_pairs, training_pairs
from lm2core.training.beside.recipe import BesideRecipe
from lm2core.training.beside.stages import Step, address_stage, content_stage, story_stage
from lm2core.training.beside.streams import Scale
from lm2core.training.run_folder import begin, check_settings, check_start

CONTENT_RATE = ADDRESS_RATE = 2e-3
HELD_OUT_PER_PERSON = 10
METRICS_FILE, STREAMS_FILE = "metrics.jsonl", "streams.safetensors"


def train_beside(recipe: BesideRecipe, out: str | Path, *, resume: bool = False) -> LM2ForCausalLM:
    """Train by ``recipe``; the folder ``out`` is then a memory that opens with its Llama (memory_weights.py).

    Raises
    ------
    UserError
        For a Llama that is not there or cannot be opened, a text that cannot be used, and a folder as
        ``lm2core.training.stories.train``.
    """
    out = Path(out)
    run = _Run(recipe, out)
    if not resume:
        check_start(recipe, out, resume=False, last_file=METRICS_FILE)
    elif not (out / STREAMS_FILE).is_file():
        raise UserError(f"nothing to resume: {out} has no {STREAMS_FILE}; start in another folder")
    else:
        check_settings(recipe, out)
    set_seed(recipe.seed)
    where = find_backbone(recipe.llama, needed_by="this run")
    model, tokenizer = new_memory_beside(recipe, where)
    begin(recipe, out)
    examples, held_out = _examples(recipe, model, tokenizer, out)
    scale = Scale.of(examples.statements)
    examples, held_out = examples.scaled(scale), held_out.scaled(scale)
    layout.initialise(model, scale)
    model.requires_grad_(False)
    layout.memory_of(model).requires_grad_(True)
    addresses = address_stage(model, examples, held_out, recipe)
    run.train("addresses", model, recipe.n_address_steps, ADDRESS_RATE, addresses)
    layout.tell_apart(
        model,
        seen_at(model, examples.statements, examples.first_R),
        seen_at(model, examples.prompts, examples.prompts.places_RP[:, 0]),
    )
    contents = content_stage(model, examples, held_out, scale, recipe)
    run.train("contents", model, recipe.n_content_steps, CONTENT_RATE, contents)
    stories = story_stage(model, examples, held_out, recipe)
    run.train("stories", model, recipe.n_steps, recipe.learning_rate, stories)
    layout.fold(model, scale)
    save_memory(model, tokenizer, out, backbone=recipe.llama, dtype=torch.float16)
    return model.eval()


class _Run:
    """The stages of one run: a stage that was finished is loaded instead."""

    def __init__(self, recipe: BesideRecipe, out: Path) -> None:
        self.recipe, self.out = recipe, out

    def train(self, stage: str, model: LM2ForCausalLM, n_steps: int, rate: float, step: Step) -> None:
        """Optimize the memory for ``n_steps``: warm-up, then from half of the steps on a linear decay."""
        file = self.out / f"stage-{stage}.safetensors"
        if file.is_file():
            model.load_state_dict(load_file(file), strict=False)
            return
        weights = list(layout.memory_of(model).parameters())
        optimizer = torch.optim.AdamW(weights, lr=rate, betas=(0.9, 0.98), weight_decay=0.0)
        bar = tqdm(range(n_steps), desc=stage, dynamic_ncols=True)
        for k in bar:
            for group in optimizer.param_groups:
                warm = min(1.0, (k + 1) / self.recipe.n_warmup_steps)
                group["lr"] = rate * warm * min(1.0, 2 * (1 - k / n_steps) + 0.02)
            optimizer.zero_grad(set_to_none=True)
            metrics = step(k)
            optimizer.step()
            if (k + 1) % self.recipe.log_every == 0 or k + 1 == n_steps:
                bar.set_postfix({name: f"{value:.3f}" for name, value in metrics.items()})
                self._log({"stage": stage, "step": k + 1} | metrics)
        memory = {name: x.contiguous() for name, x in model.state_dict().items() if PART in name}
        with atomic_path(file) as temporary:
            save_file(memory, temporary)

    def _log(self, metrics: dict[str, float | str]) -> None:
        with (self.out / METRICS_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps(metrics) + "\n")


def new_memory_beside(recipe: BesideRecipe, where: str) -> tuple[LM2ForCausalLM, PreTrainedTokenizerBase]:
    """The Llama with an open memory in its last block, and its tokenizer, which begins sentences.

    Raises a UserError for more slots than one part of the width has, and for a Llama narrower than a part.
    """
    llama, part = llama_config(where), recipe.memory_width // 3
    if recipe.memory_slots > part:
        raise UserError(f"{recipe.memory_slots} slots; a memory of this preset has at most {part}")
    if llama.hidden_size < part:
        raise UserError(f"{where} is {llama.hidden_size} wide; this preset needs a Llama of at least {part}")
    n_blocks = llama.num_hidden_layers
    config = lm2_config(
        llama,
        source=where,
        memory_slots=recipe.memory_slots,
        memory_width=recipe.memory_width,
        memory_heads=1,
        memory_layers=[n_blocks - 1],
        memory_taps=[0, round(recipe.tap * (n_blocks - 1))],
        memory_path_block=True,
        memory_starts_closed=False,
        bos_token_id=recipe.first_id,
    )
    tokenizer = open_tokenizer(where)
    begin_sentences(tokenizer, config.bos_token_id)
    model = LM2ForCausalLM.from_pretrained(where, config=config, may_be_new=PART, dtype=torch.float32)
    return model.eval(), tokenizer


def _examples(
    recipe: BesideRecipe, model: LM2ForCausalLM, tokenizer: PreTrainedTokenizerBase, out: Path
) -> tuple[Examples, Examples]:
    """Recorded streams of the training and of the held-out share, from the run's folder if they are there."""
    texts = {split: open_noise(recipe.noise, split=split).sentences for split in ("train", "test")}
    shares = {
        "train": training_pairs(
            tokenizer,
            texts["train"],
            recipe.seed,
            per_person=recipe.per_person,
            n_names=recipe.n_names,
            per_name=recipe.per_name,
        ),
        "test": held_out_pairs(tokenizer, recipe.seed, per_person=HELD_OUT_PER_PERSON),
    }
    found = []
    for split, pairs in shares.items():
        file = out / (STREAMS_FILE if split == "train" else f"held-out-{STREAMS_FILE}")
        if not file.is_file():
            n = min(recipe.n_background, len(texts[split]))
            if n < N_BACKGROUND:
                raise UserError(f"{recipe.noise} has {n} sentences for {split}; give at least {N_BACKGROUND}")
            background = Random(f"{recipe.seed} {split}").sample(list(texts[split]), n)
            save_examples(
                record_examples(model, tokenizer, pairs, background, most_tokens=recipe.most_tokens), file
            )
        found.append(load_examples(file, pairs))
    return found[0], found[1]
