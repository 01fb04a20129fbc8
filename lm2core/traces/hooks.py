"""The catalogue of hook points: name, axes, meaning, and whether an edit changes what comes later.

docs/HOOKS.md is this catalogue, printed by ``python -m lm2core.traces.hooks``; a test edits every point
and checks that it propagates exactly as said here.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lm2core.errors import UserError
from lm2core.model.config import LM2Config

STREAM = ("token", "dim")
BANK = ("slot", "dim")


@dataclass(frozen=True, slots=True)
class HookInfo:
    """One hook point. ``name`` has ``{l}`` for the block; axes come after story (and segment in a trace).

    answer : an edit moves the logits of the same segment
    later : an edit reaches later segments through the bank
    """

    name: str
    axes: tuple[str, ...]
    meaning: str
    answer: bool
    later: bool


def _block(name: str, axes: tuple[str, ...], meaning: str, *, answer: bool, later: bool) -> HookInfo:
    return HookInfo(f"blocks.{{l}}.{name}", axes, meaning, answer, later)


CATALOGUE: tuple[HookInfo, ...] = (
    _block("hook_resid_pre", STREAM, "residual stream entering the block", answer=True, later=True),
    _block(
        "attn.hook_pattern",
        ("attn_head", "token", "source"),
        "self-attention, rows sum to 1 over source tokens",
        answer=True,
        later=True,
    ),
    _block("hook_attn_out", STREAM, "what self-attention adds to the stream", answer=True, later=True),
    _block(
        "mem.hook_read_pattern",
        ("head", "token", "slot"),
        "attention over slots, rows sum to 1 (eq. 1)",
        answer=True,
        later=True,
    ),
    _block(
        "mem.hook_read", STREAM, "E_mem, what the token read from the bank (eq. 1)", answer=True, later=True
    ),
    _block("mem.hook_gate_out", STREAM, "output gate in [0, 1] (eq. 2)", answer=True, later=True),
    _block(
        "hook_mem_out",
        STREAM,
        "what memory adds to the stream: output gate times read (eq. 3)",
        answer=True,
        later=True,
    ),
    _block("hook_mlp_out", STREAM, "what the MLP adds to the stream", answer=True, later=True),
    _block("hook_resid_post", STREAM, "residual stream leaving the block", answer=True, later=True),
    _block("mem.hook_bank_pre", BANK, "bank this block's write starts from", answer=False, later=True),
    _block(
        "mem.hook_write_read_pattern",
        ("head", "token", "slot"),
        "attention over slots of the writing token's look, rows sum to 1",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_write_read",
        STREAM,
        "W_mem, what the writing token finds in the bank now",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_write_pattern",
        ("token", "slot"),
        "P(slot | token), where each token writes; rows sum to 1",
        answer=False,
        later=True,
    ),
    _block("mem.hook_gate_in_token", STREAM, "input gate in [0, 1] (eq. 4)", answer=False, later=True),
    _block(
        "mem.hook_gate_forget_token",
        STREAM,
        "forget gate in [0, 1], 1 keeps (eq. 5)",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_candidate",
        STREAM,
        "what the token would write, in (-1, 1) (eq. 6)",
        answer=False,
        later=True,
    ),
    _block("mem.hook_gate_in", BANK, "input gate as the slot sees it, in [0, 1]", answer=False, later=True),
    _block(
        "mem.hook_gate_forget",
        BANK,
        "share of the old content the slot keeps, in [0, 1]",
        answer=False,
        later=True,
    ),
    _block("mem.hook_write", BANK, "what is added to the slot", answer=False, later=True),
    _block("mem.hook_bank_post", BANK, "gate_forget * bank_pre + write", answer=False, later=True),
    HookInfo("hook_bank", BANK, "bank handed to the next segment", answer=False, later=True),
)


def hook_names(config: LM2Config) -> dict[str, HookInfo]:
    """Every hook point of a model of this config, in the order of the catalogue, block by block."""
    names: dict[str, HookInfo] = {}
    # With positional routing the write takes the block's own read, and nobody looks again.
    absent = "hook_write_read_pattern" if config.routing == "positional" else None
    for block in range(config.num_hidden_layers):
        has_memory = block in config.memory_blocks
        for info in CATALOGUE[:-1]:
            if (has_memory or "mem" not in info.name) and info.name.split(".")[-1] != absent:
                names[info.name.format(l=block)] = info
    return names | {CATALOGUE[-1].name: CATALOGUE[-1]}


def match_hooks(patterns: str | Sequence[str], config: LM2Config) -> list[str]:
    """Names that fit one of the shell-style ``patterns``, with or without their ``blocks.{l}.``.

    Raises
    ------
    UserError
        For a pattern that fits nothing, with the nearest names.
    """
    known = hook_names(config)
    chosen: set[str] = set()
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        fits = {
            name
            for name in known
            if fnmatchcase(name, pattern) or fnmatchcase(name.split(".", 2)[-1], pattern)
        }
        if not fits:
            short = dict.fromkeys(name.split(".", 2)[-1] for name in known)
            near = nearest_hooks(pattern, [*known, *short])
            raise UserError(f"no hook point {pattern!r}; nearest: {near}; all: docs/HOOKS.md")
        chosen |= fits
    return [name for name in known if name in chosen]


def nearest_hooks(name: str, known: Iterable[str]) -> str:
    """The names that look most like ``name``, by commas."""
    return ", ".join(get_close_matches(name, list(known), n=4, cutoff=0.0))


HEAD = """# Hook points

Made by `python -m lm2core.traces.hooks > docs/HOOKS.md`; do not edit by hand.

Every array has the axis `story` first; a trace adds `segment` after it. An edit of a point marked "same
segment" moves that segment's logits. One marked "later" reaches the segments after it, through the bank.

With content routing, the default, the points of the write come after the logits, so they only act later. With
positional routing blocks read and write in turn: there an edit of a write in one block also moves the same
segment's logits, through what the next block reads. The last block's MLP comes after every write; its points
never act later.

TransformerLens' `run_with_cache` keeps one value a hook point. Of a text of several segments that is the last
segment's, and of gradients (`incl_bwd=True`) the first one's. `lm2core.capture` records every segment.

| name | axes | meaning | same segment | later |
|---|---|---|---|---|"""


def catalogue_markdown() -> str:
    """The text of docs/HOOKS.md."""
    rows = []
    for info in CATALOGUE:
        axes, meaning = ", ".join(info.axes), info.meaning.replace("|", "\\|")
        reaches = " | ".join("yes" if it else "no" for it in (info.answer, info.later))
        rows.append(f"| `{info.name}` | {axes} | {meaning} | {reaches} |")
    return "\n".join([HEAD, *rows, ""])


if __name__ == "__main__":
    sys.stdout.write(catalogue_markdown())
