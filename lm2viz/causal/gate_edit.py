"""A sentence read with one slot's gates set by hand: what it then writes, and the bank at the end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from lm2core.errors import UserError
from lm2core.reading.answers import bank_after
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.shown_words import segment_words
from lm2core.text.tokenizer import check_words, encode_segments
from lm2core.traces.recording import capture, hooked
from lm2core.traces.trace import Trace
from lm2viz.causal.clamped_gates import ClampGate
from lm2viz.causal.editing import Intervention, RunContext


@dataclass(frozen=True, slots=True, kw_only=True)
class GateEdit:
    """Values of a slot's gates while sentence ``step`` is read.

    block : None for every block with memory
    gate_in, keep : input gate and forget gate, in [0, 1]; None for the model's own value
    """

    step: int
    slot: int
    block: int | None = None
    gate_in: float | None = None
    keep: float | None = None

    def edits(self) -> list[Intervention]:
        """The edit as interventions, for a run that starts with this sentence."""
        gates = (("in", self.gate_in), ("forget", self.keep))
        return [
            ClampGate(gate=gate, value=value, block=self.block, slots=(self.slot,), step=1)
            for gate, value in gates
            if value is not None
        ]

    def in_slot(self, slot: int) -> "GateEdit":
        """The same edit in another slot."""
        return replace(self, slot=slot)


@dataclass(frozen=True, slots=True)
class GateEditRun:
    """A sentence read with edited gates.

    trace : of that sentence alone: one story, one segment
    bank : (1,N,D), after the last sentence read
    """

    trace: Trace
    bank: Tensor


def read_with_gate_edit(
    lm: LoadedModel, sentences: Sequence[str], bank: Tensor, gate_edit: GateEdit
) -> GateEditRun:
    """Read ``sentences`` starting from ``bank`` (1,N,D), the first one with edited gates.

    Raises
    ------
    UserError
        For no sentence, or unknown words.
    """
    if not sentences:
        raise UserError("no sentence to read; give at least one")
    check_words(lm.tokenizer, sentences)
    model = lm.model
    (fresh_ND,) = model.new_memory(1).detach()
    context = RunContext(
        model.config, fresh_ND, fresh_ND[None, None], is_self_reference=True, n_steps=len(sentences)
    )
    edits = [hook for edit in gate_edit.edits() for hook in edit.hooks(context)]
    ids, mask = (x.to(model.device) for x in encode_segments(lm.tokenizer, [sentences]))
    with hooked(model, [*edits, ("hook_bank", context.tick)]):
        words = [[segment_words(lm.tokenizer, sentences[0])]]
        trace = capture(model, ids[:, :1], mask[:, :1], memory=bank, tokens=words)
        bank = bank_after(trace, 1, model)
        if len(sentences) > 1:
            bank = model(ids[:, 1:], mask[:, 1:], bank).memory
    return GateEditRun(trace, bank)
