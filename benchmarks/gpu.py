"""How well a preset uses one GPU in bf16, beside transformers' Llama of the same backbone, in one run.

Prints the seconds that docs/GPU.md predicts beside those measured, tokens per second, the share of the chip's
matrix peak that the counted work of these tokens is, peak memory, and the ratio of times. A training step is
bf16 autocast over 32-bit weights and AdamW, with segments, checkpointing and compiling as the preset's recipe
has them (work done twice is not counted). Else weights are bf16. Each row is printed as it comes.

    python benchmarks/gpu.py                                # the paper's sizes, on one GPU
    python benchmarks/gpu.py --preset text-tiny --cpu       # the same code without a GPU
"""

import gc
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated

import torch
import typer
from measure import Model, Run, forward, generation, medians, training_step
from rich.console import Console
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, llama_fields
from lm2core.model.sizes import model_size
from lm2core.model.work import token_work
from lm2core.traces.recording import capture
from lm2core.training.devices import Chip, chip_of
from lm2core.training.text_models import MODELS
from lm2core.training.text_recipe import TEXT_PRESETS, TextRecipe
from lm2core.training.work import forward_seconds, step_seconds

VOCAB = {"text-tiny": 2_048}  # others have the preset's own
N_NEW = 128  # tokens generated
TRACE_BUDGET = "64GB"
BF16 = torch.bfloat16
COLUMNS = ("run", "predicted", "seconds", "tokens/s", "of peak", "memory", "/ Llama", "its memory")
LINE = "{:<30}{:>10}{:>9}{:>11}{:>9}{:>10}{:>9}{:>12}"


@dataclass(frozen=True, slots=True)
class Work:
    """One kind of run: dtype of the weights, what LM2 and the Llama do, tokens, and passes' worth of FLOP.

    predicted_s : seconds on this chip; None where nothing is predicted
    """

    dtype: torch.dtype
    ours: Callable[[Model], Run]
    theirs: Callable[[Model], Run] | None
    n_tokens: int
    n_passes: int = 1
    predicted_s: float | None = None


def works(texts: Tensor, config: LM2Config, recipe: TextRecipe, chip: Chip | None) -> dict[str, Work]:
    """The measured runs. LM2 reads texts of several segments, the Llama each segment as a separate text."""
    rows, one = texts.view(-1, config.segment_length), texts[:, : config.segment_length]

    def plain(ids: Tensor) -> Callable[[Model], Run]:
        return lambda model: lambda: forward(model.eval(), ids)

    def step(ids: Tensor) -> Callable[[Model], Run]:
        def run_of(model: Model) -> Run:
            if recipe.checkpointing:
                model.activation_checkpointing_enable()
            if recipe.compile and isinstance(model, LM2ForCausalLM):
                model.compile_segments()
            return training_step(model.train(), ids, bf16=True)

        return run_of

    def generated(model: Model) -> Run:
        return generation(model.eval(), one, N_NEW)

    def captured(names: list[str]) -> Callable[[Model], Run]:
        return lambda model: lambda: capture(model, one[:, None], names=names, budget=TRACE_BUDGET)

    whole_s, one_s, step_s = None, None, None
    if chip is not None:
        whole_s, one_s = (forward_seconds(config, ids.numel(), chip) for ids in (texts, one))
        step_s = step_seconds(replace(recipe, batch_size=len(texts), accumulate=1), config, chip)
    return {
        "forward": Work(BF16, plain(texts), plain(rows), texts.numel(), predicted_s=whole_s),
        "training step": Work(
            torch.float32, step(texts), step(rows), texts.numel(), n_passes=3, predicted_s=step_s
        ),
        "generation": Work(BF16, generated, generated, N_NEW),
        "forward of one segment": Work(BF16, plain(one), plain(one), one.numel(), predicted_s=one_s),
        "the same, hook_bank captured": Work(BF16, captured(["hook_bank"]), None, one.numel()),
        "the same, mem.* captured": Work(BF16, captured(["mem.*"]), None, one.numel()),
    }


def measured(model: Model, run: Run, repeats: int) -> tuple[float, str]:
    """Median seconds of a run, and its peak GPU memory."""
    if next(model.parameters()).device.type == "cpu":
        return medians({"run": run}, repeats)["run"], "-"
    torch.accelerator.reset_peak_memory_stats()
    seconds = medians({"run": run}, repeats)["run"]
    return seconds, f"{torch.accelerator.max_memory_allocated() / 1e9:.1f} GB"


def alone(make: Callable[[], Model], device: torch.device, dtype: torch.dtype) -> Model:
    """A new model on the device, after freeing the memory of the previous one."""
    gc.collect()
    if device.type != "cpu":
        torch.accelerator.empty_cache()
    torch.manual_seed(0)
    with device:
        return make().to(dtype)


def llama_of(config: LM2Config) -> LlamaForCausalLM:
    """transformers' Llama of the same backbone."""
    return LlamaForCausalLM(LlamaConfig(**llama_fields(config)))


def matrix_peak(name: str, device: torch.device) -> tuple[float, str]:
    """The chip's peak in FLOP/s, and the source of the number."""
    size = 512 if device.type == "cpu" else 8192
    a = torch.randn(size, size, dtype=BF16, device=device)
    reached = 2 * size**3 / medians({"product": lambda: a @ a}, 10)["product"]
    chip = chip_of(name)
    peak = reached if chip is None else chip.flops_per_s
    source = "that product, for want of a data sheet" if chip is None else "data sheet"
    return peak, (
        f"{name}; a bf16 product of {size} x {size} reaches {reached / 1e12:.2f} TFLOP/s; "
        f"peak {peak / 1e12:.2f} TFLOP/s ({source})"
    )


def main(
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(TEXT_PRESETS)}.")] = "lm2-1.7b",
    cpu: Annotated[bool, typer.Option("--cpu", help="Run on the CPU.")] = False,
    batch: Annotated[int, typer.Option(min=1, help="Number of texts; the recipe sets their segments.")] = 1,
    repeats: Annotated[int, typer.Option(min=1, help="Runs behind each median.")] = 5,
) -> None:
    """Measure forward, training step, generation and capture."""
    if preset not in TEXT_PRESETS:
        raise typer.BadParameter(f"unknown preset {preset!r}; known: {', '.join(TEXT_PRESETS)}")
    place = torch.device("cpu") if cpu else torch.accelerator.current_accelerator()
    if place is None:
        raise typer.BadParameter("no GPU found; run this on a machine with one, or use --cpu")
    recipe, vocab = TEXT_PRESETS[preset], {"vocab_size": VOCAB[preset]} if preset in VOCAB else {}
    config = MODELS[preset](**vocab)
    texts = torch.randint(config.vocab_size, (batch, recipe.n_segments * config.segment_length), device=place)
    name = torch.cuda.get_device_name() if place.type == "cuda" else "CPU"
    peak, described = matrix_peak(name, place)
    console = Console(width=120)
    console.print(described)
    console.print(
        f"{preset}: {model_size(config).n_parameters:,} parameters; {batch} texts of {recipe.n_segments} "
        f"segments of {config.segment_length} tokens; in training: checkpointing {recipe.checkpointing}, "
        f"compiled {recipe.compile}"
    )
    console.print(LINE.format(*COLUMNS))
    flops = token_work(config, config.segment_length).flops
    for title, work in works(texts, config, recipe, chip_of(name)).items():
        model: Model = alone(lambda: LM2ForCausalLM(config), place, work.dtype)
        seconds, memory = measured(model, work.ours(model), repeats)
        share = work.n_passes * flops * work.n_tokens / seconds / peak
        predicted = "-" if work.predicted_s is None else f"{work.predicted_s:.3f}"
        row = [title, predicted, f"{seconds:.3f}", f"{work.n_tokens / seconds:,.0f}", f"{share:.1%}", memory]
        del model
        theirs = ["-", "-"]
        if work.theirs is not None:
            model = alone(lambda: llama_of(config), place, work.dtype)
            llama_seconds, memory = measured(model, work.theirs(model), repeats)
            theirs = [f"{seconds / llama_seconds:.2f}", memory]
            del model
        console.print(LINE.format(*row, *theirs))


if __name__ == "__main__":
    typer.run(main)
