"""The catalogue of hook points: name, axes, meaning, and what an edit affects.

docs/HOOKS.md is generated from it by ``python -m lm2core.traces.hooks``; a test edits every point and checks
that the edit propagates exactly as stated here.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase

from lm2core.errors import UserError
from lm2core.model.config import LM2Config

STREAM = ("token", "dim")
BANK = ("slot", "dim")


@dataclass(frozen=True, slots=True)
class HookInfo:
    """One hook point. ``name`` has ``{l}`` for the block; ``axes`` follow story (and, in a trace, segment).

    answer : an edit changes the logits of the same segment
    later : an edit affects later segments through the bank
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
        "self-attention weights; rows sum to 1 over source tokens",
        answer=True,
        later=True,
    ),
    _block(
        "mem.path.block.attn.hook_pattern",
        ("path_head", "token", "source"),
        "self-attention weights in the memory's path (memory_path_block); rows sum to 1 over source tokens",
        answer=True,
        later=True,
    ),
    _block("hook_attn_out", STREAM, "output of self-attention, added to the stream", answer=True, later=True),
    _block(
        "mem.hook_read_pattern",
        ("head", "token", "slot"),
        "attention weights of the read over slots; rows sum to 1 (eq. 1)",
        answer=True,
        later=True,
    ),
    _block(
        "mem.hook_read", STREAM, "E_mem, what each token reads from the bank (eq. 1)", answer=True, later=True
    ),
    _block("mem.hook_gate_out", STREAM, "output gate in [0, 1] (eq. 2)", answer=True, later=True),
    _block(
        "hook_mem_out",
        STREAM,
        "output of the memory, added to the stream: output gate times read (eq. 3)",
        answer=True,
        later=True,
    ),
    _block("hook_mlp_out", STREAM, "output of the MLP, added to the stream", answer=True, later=True),
    _block("hook_resid_post", STREAM, "residual stream leaving the block", answer=True, later=True),
    _block("mem.hook_bank_pre", BANK, "bank before this block's write", answer=False, later=True),
    _block(
        "mem.hook_write_read_pattern",
        ("head", "token", "slot"),
        "attention weights over slots of the second read, for the write; rows sum to 1",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_write_read",
        STREAM,
        "W_mem, what each token reads from the bank for its write",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_write_pattern",
        ("token", "slot"),
        "P(slot | token), where each token writes; rows sum to 1 over slots",
        answer=False,
        later=True,
    ),
    _block("mem.hook_gate_in_token", STREAM, "input gate in [0, 1] (eq. 4)", answer=False, later=True),
    _block(
        "mem.hook_gate_forget_token",
        STREAM,
        "forget gate in [0, 1]; 1 keeps all (eq. 5)",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_candidate",
        STREAM,
        "candidate, the content each token would write, in (-1, 1) (eq. 6)",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_gate_in",
        BANK,
        "input gate per slot: routing times the tokens' input gates, in [0, 1]",
        answer=False,
        later=True,
    ),
    _block(
        "mem.hook_gate_forget",
        BANK,
        "share of its old content that each slot keeps, in [0, 1]",
        answer=False,
        later=True,
    ),
    _block("mem.hook_write", BANK, "content added to each slot", answer=False, later=True),
    _block(
        "mem.hook_bank_post",
        BANK,
        "bank after this block's write: gate_forget * bank_pre + write",
        answer=False,
        later=True,
    ),
    HookInfo("hook_bank", BANK, "bank passed to the next segment", answer=False, later=True),
)


def hook_names(config: LM2Config) -> dict[str, HookInfo]:
    """Every hook point of a model of this config, in the order of the catalogue, block by block."""
    names: dict[str, HookInfo] = {}
    # With positional routing the write uses the block's own read, so there is no second one.
    absent = {"mem.hook_write_read_pattern"} if config.routing == "positional" else set()
    absent |= set() if config.memory_path_block else {"mem.path.block.attn.hook_pattern"}
    for block in range(config.num_hidden_layers):
        has_memory = block in config.memory_blocks
        for info in CATALOGUE[:-1]:
            if (has_memory or "mem" not in info.name) and info.name.split(".", 2)[-1] not in absent:
                names[info.name.format(l=block)] = _in_width(info, config)
    return names | {CATALOGUE[-1].name: _in_width(CATALOGUE[-1], config)}


def _in_width(info: HookInfo, config: LM2Config) -> HookInfo:
    """A hook point with the axis of its own width, if the memory is not as wide as the stream."""
    if config.memory_width is None or not (info.name == "hook_bank" or ".mem." in info.name):
        return info
    return replace(info, axes=tuple("memory_dim" if axis == "dim" else axis for axis in info.axes))


def match_hooks(patterns: str | Sequence[str], config: LM2Config) -> list[str]:
    """Names that match any of the shell-style ``patterns``, with or without their ``blocks.{l}.``.

    Raises
    ------
    UserError
        For a pattern that matches nothing, with the nearest names.
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

Generated by `python -m lm2core.traces.hooks > docs/HOOKS.md`; do not edit by hand.

The first axis of every array is `story`; a trace adds `segment` after it. An edit of a point marked "same
segment" changes the logits of that segment. An edit of a point marked "later" affects later segments through
the bank.

With content routing, the default, writes come after the logits, so edits of the write only affect later
segments. With positional routing blocks read and write in turn, so an edit of one block's write also changes
the logits of the same segment, through what the next block reads. The MLP of the last block comes after every
write, so its points never affect later segments.

TransformerLens' `run_with_cache` keeps one value per hook point. For a text of several segments that is the
last segment's, and for gradients (`incl_bwd=True`) the first one's. `lm2core.capture` records every segment.

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
