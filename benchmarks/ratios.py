"""How much a memory costs: LM2 against transformers' Llama of the same backbone, in one run.

Every figure is a ratio of medians over interleaved runs, so that a busy machine slows both alike; beside it
stands the ratio of the matrix work, counted. Run: ``python benchmarks/ratios.py [--repeats 9]``.
"""

import argparse

import torch
from measure import flops_per_token, forward, generation, medians, training_step
from rich.console import Console
from rich.table import Table
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.config import LM2Config
from lm2core.model import LM2ForCausalLM
from lm2core.recording import capture

N_BLOCKS, VOCAB, N_TEXTS, N_SEGMENTS = 4, 512, 2, 4
PAPER = {"routing": "positional", "candidate": "memory"}


def llama_config(width: int) -> dict[str, object]:
    """The proportions of Llama-3.2-1B at another width."""
    sizes = {"hidden_size": width, "intermediate_size": 4 * width, "num_hidden_layers": N_BLOCKS}
    return sizes | {
        "vocab_size": VOCAB,
        "num_attention_heads": width // 64,
        "num_key_value_heads": width // 256,
    }


def lm2(width: int, **memory: object) -> LM2ForCausalLM:
    """An LM2 of this width; segments of ``width`` tokens."""
    changes = {"segment_length": width, "memory_heads": width // 64} | memory
    return LM2ForCausalLM(LM2Config(**(llama_config(width) | changes)))


def compare(width: int, repeats: int, table: Table) -> None:
    """Ratios of every setting at one width."""
    settings = {
        "default (N = T/4)": {"memory_slots": width // 4},
        "light (half the blocks, rank D/4)": {
            "memory_slots": width // 4,
            "memory_layers": [1, 3],
            "memory_gate_rank": width // 4,
        },
        "paper's form (N = T = D)": {"memory_slots": width} | PAPER,
    }
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width)))
    models = {"Llama": llama} | {name: lm2(width, **memory) for name, memory in settings.items()}
    # LM2 reads texts of several segments, so that what it writes is read again and has a gradient. The Llama
    # gets each segment as a text of its own, so that self-attention does the same work.
    texts = torch.randint(VOCAB, (N_TEXTS, N_SEGMENTS * width))
    ids = {name: texts if name in settings else texts.view(-1, width) for name in models}
    step = medians({name: training_step(model, ids[name]) for name, model in models.items()}, repeats)
    plain = medians({n: lambda n=n, m=m: forward(m.eval(), ids[n]) for n, m in models.items()}, repeats)
    told = medians({n: generation(m, texts[:, :width]) for n, m in models.items()}, max(3, repeats // 3))
    counted = flops_per_token(llama.config, width)
    for name in settings:
        flops = flops_per_token(models[name].config, width) / counted
        ratios = [times[name] / times["Llama"] for times in (step, plain, told)]
        table.add_row(f"{width}", name, f"{flops:.2f}", *(f"{ratio:.2f}" for ratio in ratios))


def hooks(width: int, repeats: int, console: Console) -> None:
    """What hook points cost when nobody watches, and what watching the memory costs."""
    model = lm2(width, memory_slots=width // 4).eval()
    ids = torch.randint(VOCAB, (1, 2, width))
    bare = lm2(width, memory_slots=width // 4).eval()
    for block in bare.model.blocks():
        for module in (block, block.self_attn, block.mem):
            for name in list(dict(module.named_children())):
                if name.startswith("hook_"):
                    setattr(module, name, _Idle())
    took = medians(
        {
            "bare": lambda: forward(bare, ids),
            "idle": lambda: forward(model, ids),
            "captured": lambda: capture(model, ids, budget="4GB"),
        },
        repeats,
    )
    console.print(
        f"width {width}: idle hooks {took['idle'] / took['bare']:.3f}x of none, "
        f"memory hooks captured {took['captured'] / took['idle']:.2f}x of a plain forward"
    )


class _Idle(torch.nn.Identity):
    """Stands where a hook point was."""

    def has_hooks(self) -> bool:
        return False


def streaming(width: int, repeats: int, console: Console) -> None:
    """One long text: LM2 in segments against the Llama that has all of it in view."""
    llama = LlamaForCausalLM(LlamaConfig(**llama_config(width) | {"max_position_embeddings": 64 * width}))
    model = lm2(width, memory_slots=width // 4)
    lengths = {f"{n} segments": torch.randint(VOCAB, (1, n * width)) for n in (1, 2, 4, 8, 16)}
    for name, ids in lengths.items():
        took = medians(
            {"lm2": lambda i=ids: forward(model, i), "llama": lambda i=ids: forward(llama, i)}, repeats
        )
        console.print(
            f"width {width}, {name}: LM2 {took['lm2']:.2f} s, "
            f"{took['lm2'] / ids.shape[1] * 1e6:.0f} us a token; "
            f"Llama with the whole text {took['llama']:.2f} s"
        )


def generation_memory(console: Console, n_tokens: int = 100_000) -> None:
    """Bytes of the process while one text of ``n_tokens`` is generated: they must not grow."""
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
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9, help="runs behind each median")
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 512])
    chosen = parser.parse_args()
    console = Console(width=120)
    table = Table("width", "memory", "FLOP ratio", "training step", "forward", "generation")
    for width in chosen.widths:
        compare(width, chosen.repeats, table)
    console.print(table)
    for width in chosen.widths:
        hooks(width, chosen.repeats, console)
    streaming(chosen.widths[0], max(3, chosen.repeats // 3), console)
    generation_memory(console)


if __name__ == "__main__":
    main()
