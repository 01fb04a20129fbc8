"""The gated update of one slot in one block by one sentence: all its numbers, as tables and as formulas.

Letters as in docs/ARCHITECTURE.md, "The memory, exactly": a word t has a share R of the slot's update, an
input gate g_in, a candidate c and a forget gate g_f. Then w = sum R g_in c, keep = 1 - sum R (1 - g_f) and
M' = keep M + w.
"""

from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.story.select import bank_before_after

_ROOM = r"\rule[-2em]{0pt}{0em}"  # space below a formula, without which text under a brace is cut off


@dataclass(frozen=True, slots=True)
class SlotUpdate:
    """What one sentence did to one slot in one block.

    share : ndarray of shape (n_tokens,), R in [0, 1], sums to at most 1
    gate_in, gate_forget : ndarrays of shape (n_tokens, n_dims), of the words, in [0, 1]
    candidate : ndarray of shape (n_tokens, n_dims), in (-1, 1)
    input_gate : ndarray of shape (n_dims,), the input gate as the slot sees it, sum R g_in, in [0, 1]
    keep : ndarray of shape (n_dims,), the forget gate as the slot sees it, 1 - sum R (1 - g_f), in [0, 1]
    before, write, after : ndarrays of shape (n_dims,)
    """

    share: Array
    gate_in: Array
    gate_forget: Array
    candidate: Array
    input_gate: Array
    before: Array
    keep: Array
    write: Array
    after: Array

    @property
    def retained(self) -> Array:
        """What remains of the old content, keep * before."""
        return self.keep * self.before

    def term(self, token: int) -> Array:
        """What one word writes, R g_in c, of shape (n_dims,)."""
        return self.share[token] * self.gate_in[token] * self.candidate[token]

    def loss(self, token: int) -> Array:
        """How much of the old content one word erases, R (1 - g_f), of shape (n_dims,)."""
        return self.share[token] * (1 - self.gate_forget[token])

    def error(self) -> float:
        """Largest absolute difference between keep * before + write and after, over dimensions."""
        return float(np.abs(self.retained + self.write - self.after).max())

    def gates(self) -> tuple[float, float]:
        """Input gate and forget gate of the slot, means over the width, rounded to hundredths."""
        input_gate, keep = (
            round(float(np.clip(gate.mean(), 0, 1)), 2) for gate in (self.input_gate, self.keep)
        )
        return input_gate, keep

    def strongest_token(self) -> int:
        """The word that writes most, by the norm of its term."""
        return int(np.argmax([np.linalg.norm(self.term(t)) for t in range(len(self.share))]))

    def most_changed_dims(self, n: int, *, with_dim: int | None = None) -> list[int]:
        """The ``n`` dimensions that changed most, in ascending order, always including ``with_dim``."""
        order = np.argsort(-np.abs(self.after - self.before), kind="stable").tolist()
        if with_dim is not None:
            order = [with_dim, *(d for d in order if d != with_dim)]
        return sorted(order[:n])

    def most_changed_dim(self) -> int:
        """The dimension that changed most."""
        return int(np.argmax(np.abs(self.after - self.before)))


def slot_update(trace: Trace, segment: int, block: int, slot: int, *, story: int = 0) -> SlotUpdate:
    """The update of one slot in one block by one sentence, from a trace with the memory's hooks."""
    n_tokens, where = len(trace.tokens[story][segment]), {"story": story, "segment": segment}

    def of_words(hook: str) -> Array:
        return trace.select(f"blocks.{block}.mem.{hook}", **where)[:n_tokens]

    def of_slot(hook: str) -> Array:
        return trace.select(f"blocks.{block}.mem.{hook}", **where, slot=slot)

    return SlotUpdate(
        share=trace.write_shares(block, story=story, segment=segment)[:, slot],
        gate_in=of_words("hook_gate_in_token"),
        gate_forget=of_words("hook_gate_forget_token"),
        candidate=of_words("hook_candidate"),
        input_gate=of_slot("hook_gate_in"),
        before=of_slot("hook_bank_pre"),
        keep=of_slot("hook_gate_forget"),
        write=of_slot("hook_write"),
        after=of_slot("hook_bank_post"),
    )


def most_changed_slot(trace: Trace, segment: int, *, story: int = 0) -> int:
    """The slot that this sentence changed most, over all blocks."""
    *_, change = bank_before_after(trace, segment, story=story)
    return int(np.linalg.norm(change, axis=-1).argmax())


def control_slot(slot: int, n_slots: int) -> int:
    """The slot that a placebo edits instead of ``slot``; always the same one for the same slot.

    Raises
    ------
    UserError
        For a bank of one slot.
    """
    if n_slots < 2:
        raise UserError("a bank of one slot has no other slot as control; use a model with more slots")
    return Random(slot).choice([n for n in range(n_slots) if n != slot])


def word_table(update: SlotUpdate, token: int, dim: int) -> dict[str, list[Any]]:
    """The quantities of one word as columns of a table; see ``_columns``."""
    gates = {
        "share R": np.full_like(update.keep, update.share[token]),
        "input gate g_in": update.gate_in[token],
        "forget gate of the word g_f (1 keeps)": update.gate_forget[token],
        "share erased R · (1 − g_f)": update.loss(token),
    }
    contents = {
        "candidate c = tanh(…)": update.candidate[token],
        "write R · g_in · c": update.term(token),
    }
    return {"quantity of the word": [*gates, *contents], **_columns(gates, contents, dim)}


def slot_table(update: SlotUpdate, dim: int, edited: SlotUpdate | None = None) -> dict[str, list[Any]]:
    """The quantities of the slot as columns of a table; with ``edited``, also those after the gate edit."""
    gates, contents = _slot_rows(update)
    table: dict[str, list[Any]] = {
        "quantity of the slot": [*gates, *contents],
        **_columns(gates, contents, dim),
    }
    return table if edited is None else table | _columns(*_slot_rows(edited), dim, mark="edited ")


def _slot_rows(of: SlotUpdate) -> tuple[dict[str, Array], dict[str, Array]]:
    gates = {"input gate": of.input_gate, "forget gate (share kept)": of.keep}
    contents = {
        "before M": of.before,
        "retained keep · M": of.retained,
        "written w": of.write,
        "after M′": of.after,
    }
    return gates, contents


def _columns(
    gates: dict[str, Array], contents: dict[str, Array], dim: int, *, mark: str = ""
) -> dict[str, list[float]]:
    """Each row in the chosen dimension and over the width: the mean of a gate, the norm of a content."""
    rows = [*gates.values(), *contents.values()]
    means, norms = (
        [row.mean() for row in gates.values()],
        [np.linalg.norm(row) for row in contents.values()],
    )
    return {
        f"{mark}dim {dim}": [float(row[dim]) for row in rows],
        f"{mark}width": [float(value) for value in (*means, *norms)],
    }


def update_latex(update: SlotUpdate, slot: int, dim: int) -> str:
    """``M' = keep M + w`` with the numbers of one dimension of the slot."""
    keep, before, write, after = (
        f"{row[dim]:.3f}" for row in (update.keep, update.before, update.write, update.after)
    )
    numbers = rf"\underbrace{{{keep}}}_{{\text{{keep}}}} \cdot \underbrace{{({before})}}_{{M}}"
    return rf"M'_{{{slot},{dim}}} = {numbers} + \underbrace{{({write})}}_{{w}} = {after}{_ROOM}"


def write_latex(update: SlotUpdate, token: int, dim: int) -> str:
    """``w = sum R g_in c`` with the numbers of one word, and the other words summed up."""
    term = float(update.term(token)[dim])
    factors = rf"{update.share[token]:.3f} \cdot {update.gate_in[token, dim]:.3f}"
    factors += rf" \cdot ({update.candidate[token, dim]:.3f})"
    rest = _sum_of_terms(update, dim) - term
    total = rf"{_sum_of_terms(update, dim):.3f}"
    return (
        rf"w = \sum_t R_t\, g^{{in}}_t c_t = \underbrace{{{factors}}}_{{\text{{word }} {token}}}"
        rf" + \underbrace{{({rest:.3f})}}_{{\text{{other words}}}} = {total}{_ROOM}"
    )


def forget_latex(update: SlotUpdate, token: int, dim: int) -> str:
    """``keep = 1 - sum R (1 - g_f)`` with the numbers of one word, and the other words summed up."""
    losses = [float(update.loss(t)[dim]) for t in range(len(update.share))]
    total, rest = 1 - sum(losses), sum(losses) - losses[token]
    factors = rf"{update.share[token]:.3f} \cdot (1 - {update.gate_forget[token, dim]:.3f})"
    return (
        r"\text{keep} = 1 - \sum_t R_t (1 - g^f_t) = 1"
        rf" - \underbrace{{{factors}}}_{{\text{{word }} {token}}}"
        rf" - \underbrace{{{rest:.3f}}}_{{\text{{other words}}}} = {total:.3f}{_ROOM}"
    )


def _sum_of_terms(update: SlotUpdate, dim: int) -> float:
    return float(sum(update.term(t)[dim] for t in range(len(update.share))))
