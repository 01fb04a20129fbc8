"""How much a memory costs: LM2 against transformers' Llama of the same backbone, in one run.

Every figure is a ratio of medians over interleaved runs, so that a busy machine slows both alike; the first
row of each width is the ratio of the matrix work, counted.

    OMP_NUM_THREADS=1 python benchmarks/ratios.py [--quick]
"""

import argparse

import torch
from measure import forward, generation, medians, training_step
from rich.console import Console
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, babi_tiny
from lm2core.model.work import token_work
from lm2core.traces.recording import capture

N_BLOCKS, VOCAB, N_TEXTS, N_SEGMENTS = 4, 512, 2, 4
CONSOLE = Console(width=132, highlight=False)
PAPER = {"routing": "positional", "candidate": "memory"}


def llama_config(width: int) -> dict[str, object]:
    """The proportions of Llama-3.2-1B at another width."""
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": N_BLOCKS}
    return sizes | {
        "vocab_size": VOCAB,
        "eos_token_id": None,  # generate exactly the requested number of tokens
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 256,
    }


def lm2(width: int, **memory: object) -> LM2ForCausalLM:
    """An LM2 of this width; segments of ``width`` tokens."""
    changes = {"segment_length": width, "memory_heads": width // 64} | memory
    return LM2ForCausalLM(LM2Config(**(llama_config(width) | changes)))


def light(width: int) -> dict[str, object]:
    """Memory in half of the blocks, gates of rank D/4."""
    return {"memory_layers": [1, 3], "memory_gate_rank": width // 4}


SETTINGS = {
    "default (N = T/4)": lambda width: {"memory_slots": width // 4},
    "light (half the blocks, rank D/4)": lambda width: {"memory_slots": width // 4} | light(width),
    "paper's form (N = T = D)": lambda width: {"memory_slots": width} | PAPER,
}


def compare(width: int, repeats: int) -> None:
    """Ratios of every setting at one width, printed as they come."""
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width)))
    models = {"Llama": llama} | {name: lm2(width, **of_width(width)) for name, of_width in SETTINGS.items()}
    # LM2 reads texts of several segments, so that its writes are read and get a gradient. The Llama gets each
    # segment as a separate text, so that self-attention does the same work.
    texts = torch.randint(VOCAB, (N_TEXTS, N_SEGMENTS * width))
    ids = {name: texts if name in SETTINGS else texts.view(-1, width) for name in models}
    counted = {name: token_work(model.config, width).total for name, model in models.items()}
    print_row(width, "FLOP, counted", counted)
    runs = {name: training_step(model, ids[name]) for name, model in models.items()}
    print_row(width, "training step", medians(runs, repeats))
    runs = {name: lambda n=name, m=model: forward(m.eval(), ids[n]) for name, model in models.items()}
    print_row(width, "forward", medians(runs, repeats))
    runs = {name: generation(model, texts[:, :width]) for name, model in models.items()}
    print_row(width, "generation", medians(runs, repeats))


def print_row(width: int, what: str, values: dict[str, float]) -> None:
    """A row of the first table: each setting over the Llama."""
    ratios = "".join(f"{values[name] / values['Llama']:<36.2f}" for name in SETTINGS)
    CONSOLE.print(f"{width:<7}{what:<16}{ratios}")


def hooks(name: str, model: LM2ForCausalLM, length: int, repeats: int) -> None:
    """The cost of idle hook points, and of recording the memory."""
    ids = torch.randint(model.config.vocab_size, (1, N_SEGMENTS, length))
    model.eval()
    took = medians(
        {"idle": lambda: forward(model, ids), "captured": lambda: capture(model, ids, budget="4GB")}, repeats
    )
    # A whole pass varies by more than idle hooks cost: count the calls and time one.
    with model.hooks(fwd_hooks=[(lambda name: True, count := Count())]):
        forward(model, ids)
    point = model.hook_bank
    n_calls = 100_000
    call_s = medians({"calls": lambda: [point(ids) for _ in range(n_calls)]}, 5)["calls"] / n_calls
    CONSOLE.print(
        f"{name}: {count.n_calls} idle hook points of {call_s * 1e6:.2f} us each are "
        f"{count.n_calls * call_s / took['idle']:.2%} of a forward pass; "
        f"memory hooks captured {took['captured'] / took['idle']:.2f}x of one",
    )


class Count:
    """A hook that counts how often it is called."""

    n_calls = 0

    def __call__(self, value: torch.Tensor, *, hook: object) -> None:
        """Count one more call."""
        self.n_calls += 1


def streaming(width: int, repeats: int) -> None:
    """One long text: ratio of the times of LM2, in segments, and of a Llama that sees all of it."""
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width) | {"max_position_embeddings": 64 * width}))
    CONSOLE.print(f"\nwidth {width}, time of a forward pass over that of a Llama that sees the whole text:")
    CONSOLE.print(
        f"{'segments':<10}{'tokens each':<14}{'default':<10}{'light':<10}us per token: default, light"
    )
    for length in (width, 4 * width):
        models = {"default": lm2(width, memory_slots=width // 4, segment_length=length)}
        models["light"] = lm2(width, memory_slots=width // 4, segment_length=length, **light(width))
        models["Llama"] = llama
        for n in (1, 2, 4, 8, 16):
            ids = torch.randint(VOCAB, (1, n * length))
            took = medians({name: lambda m=m, i=ids: forward(m, i) for name, m in models.items()}, repeats)
            ratios = "".join(f"{took[name] / took['Llama']:<10.2f}" for name in ("default", "light"))
            each = ", ".join(f"{took[name] / ids.numel() * 1e6:.0f}" for name in ("default", "light"))
            CONSOLE.print(f"{n:<10}{length:<14}{ratios}{each}")


def generation_memory(n_tokens: int = 100_000) -> None:
    """Memory of the process while generating one text of ``n_tokens``: it must not grow."""
    model = LM2ForCausalLM(LM2Config(segment_length=64, num_hidden_layers=2)).eval()
    ids, cache = torch.ones(1, 1, dtype=torch.long), None
    CONSOLE.print(f"\ngeneration of {n_tokens:,} tokens, segments of 64:")
    with torch.no_grad():
        for step in range(1, n_tokens + 1):
            out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            ids, cache = out.logits.argmax(-1), out.past_key_values
            if step in (1_000, n_tokens // 2, n_tokens):
                CONSOLE.print(f"{_resident_kilobytes() / 1024:.0f} MB after {step:,}")


def _resident_kilobytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def main() -> None:
    """Print all tables, row by row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="runs behind each median")
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 512])
    parser.add_argument(
        "--quick", action="store_true", help="width 256, five runs each, without long texts: under 3 minutes"
    )
    chosen = parser.parse_args()
    widths, repeats = ([256], 5) if chosen.quick else (chosen.widths, chosen.repeats)
    CONSOLE.print(f"{'width':<7}{'over the Llama':<16}{''.join(f'{name:<36}' for name in SETTINGS)}")
    for width in widths:
        compare(width, repeats)
    CONSOLE.print()
    hooks("babi-tiny, sentences of 6 tokens", LM2ForCausalLM(babi_tiny(vocab_size=39)), 6, 50)
    for width in widths:
        hooks(f"width {width}", lm2(width, memory_slots=width // 4), width, repeats)
    if not chosen.quick:
        streaming(widths[0], max(3, repeats // 3))
        generation_memory()


if __name__ == "__main__":
    main()
