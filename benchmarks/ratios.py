"""How much a memory costs: LM2 against transformers' Llama of the same backbone, in one run.

Every figure is a ratio of medians over interleaved runs, so that a busy machine slows both alike; beside it
stands the ratio of the matrix work, counted.

    OMP_NUM_THREADS=1 python benchmarks/ratios.py [--repeats 9]
"""

import argparse

import torch
from measure import forward, generation, medians, training_step
from rich.console import Console
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config, babi_tiny
from lm2core.model.work import token_work
from lm2core.traces.recording import capture

N_BLOCKS, VOCAB, N_TEXTS, N_SEGMENTS = 4, 512, 2, 4
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


def compare(width: int, repeats: int, table: Table) -> None:
    """Ratios of every setting at one width."""
    settings = {
        "default (N = T/4)": {"memory_slots": width // 4},
        "light (half the blocks, rank D/4)": {"memory_slots": width // 4} | light(width),
        "paper's form (N = T = D)": {"memory_slots": width} | PAPER,
    }
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width)))
    models = {"Llama": llama} | {name: lm2(width, **memory) for name, memory in settings.items()}
    # LM2 reads texts of several segments, so that its writes are read and get a gradient. The Llama gets each
    # segment as a separate text, so that self-attention does the same work.
    texts = torch.randint(VOCAB, (N_TEXTS, N_SEGMENTS * width))
    ids = {name: texts if name in settings else texts.view(-1, width) for name in models}
    step = medians({name: training_step(model, ids[name]) for name, model in models.items()}, repeats)
    plain = medians({n: lambda n=n, m=m: forward(m.eval(), ids[n]) for n, m in models.items()}, repeats)
    generated = medians({n: generation(m, texts[:, :width]) for n, m in models.items()}, max(3, repeats // 3))
    counted = token_work(llama.config, width).total
    for name in settings:
        flops = token_work(models[name].config, width).total / counted
        ratios = [times[name] / times["Llama"] for times in (step, plain, generated)]
        table.add_row(f"{width}", name, f"{flops:.2f}", *(f"{ratio:.2f}" for ratio in ratios))


def hooks(name: str, model: LM2ForCausalLM, length: int, repeats: int, console: Console) -> None:
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
    console.print(
        f"{name}: {count.n_calls} idle hook points of {call_s * 1e6:.2f} us each are "
        f"{count.n_calls * call_s / took['idle']:.2%} of a forward pass; "
        f"memory hooks captured {took['captured'] / took['idle']:.2f}x of one"
    )


class Count:
    """A hook that counts how often it is called."""

    n_calls = 0

    def __call__(self, value: torch.Tensor, *, hook: object) -> None:
        """Count one more call."""
        self.n_calls += 1


def streaming(width: int, repeats: int, console: Console) -> None:
    """One long text: ratio of the times of LM2, in segments, and of a Llama that sees all of it."""
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width) | {"max_position_embeddings": 64 * width}))
    n_segments = (1, 2, 4, 8, 16)
    table = Table(
        "memory", "tokens per segment", *(f"{n} segments" for n in n_segments), "us per token, 1 and 16"
    )
    for length in (width, 4 * width):
        models = {"default": lm2(width, memory_slots=width // 4, segment_length=length)}
        models["light"] = lm2(width, memory_slots=width // 4, segment_length=length, **light(width))
        rows = {name: [name, f"{length}"] for name in models}
        per_token = {name: [] for name in models}
        for n in n_segments:
            ids = torch.randint(VOCAB, (1, n * length))
            runs = {name: lambda m=m, i=ids: forward(m, i) for name, m in models.items()}
            took = medians(runs | {"llama": lambda i=ids: forward(llama, i)}, repeats)
            for name in models:
                rows[name].append(f"{took[name] / took['llama']:.2f}")
                per_token[name].append(took[name] / ids.numel() * 1e6)
        for name, row in rows.items():
            table.add_row(*row, f"{per_token[name][0]:.0f}, {per_token[name][-1]:.0f}")
    console.print(f"width {width}, time of a forward pass over that of a Llama that sees the whole text:")
    console.print(table)


def generation_memory(console: Console, n_tokens: int = 100_000) -> None:
    """Memory of the process while generating one text of ``n_tokens``: it must not grow."""
    model = LM2ForCausalLM(LM2Config(segment_length=64, num_hidden_layers=2)).eval()
    ids, cache, kilobytes = torch.ones(1, 1, dtype=torch.long), None, {}
    with torch.no_grad():
        for step in range(1, n_tokens + 1):
            out = model(ids, past_key_values=cache, use_cache=True, logits_to_keep=1)
            ids, cache = out.logits.argmax(-1), out.past_key_values
            if step in (1_000, n_tokens // 2, n_tokens):
                kilobytes[step] = _resident_kilobytes()
    text = ", ".join(f"{size / 1024:.0f} MB after {step:,}" for step, size in kilobytes.items())
    console.print(f"generation of {n_tokens:,} tokens, segments of 64: {text}")


def _resident_kilobytes() -> int:
    with open("/proc/self/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="runs behind each median")
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 512])
    chosen = parser.parse_args()
    console = Console(width=120)
    table = Table("width", "memory", "FLOP ratio", "training step", "forward", "generation")
    for width in chosen.widths:
        compare(width, chosen.repeats, table)
    console.print(table)
    hooks("babi-tiny, sentences of 6 tokens", LM2ForCausalLM(babi_tiny(vocab_size=39)), 6, 50, console)
    for width in chosen.widths:
        hooks(f"width {width}", lm2(width, memory_slots=width // 4), width, chosen.repeats, console)
    streaming(chosen.widths[0], max(3, chosen.repeats // 3), console)
    generation_memory(console)


if __name__ == "__main__":
    main()
