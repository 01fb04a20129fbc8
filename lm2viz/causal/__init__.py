"""Edits of the memory and what they change in answers: the only part of lm2viz that runs a model."""

from lm2viz.causal.ablation import (
    SentenceAblation,
    ablate_sentences,
    answers_without_sentences,
    record_slot_losses,
)
from lm2viz.causal.attribution import Attribution, attribute_answers
from lm2viz.causal.blocked_reads import BlockRead
from lm2viz.causal.clamped_gates import ClampGate, Freeze
from lm2viz.causal.edit_effects import compare_edits, edit_effects
from lm2viz.causal.edit_effects_result import EditEffects
from lm2viz.causal.editing import Intervention
from lm2viz.causal.effects import Effect, effect
from lm2viz.causal.erase import Eraser, leace, mean_projection
from lm2viz.causal.gradients import Saliencies, slot_gradients
from lm2viz.causal.interchange_pairs import Pair, draw_pairs
from lm2viz.causal.interchange_result import Interchange
from lm2viz.causal.interchanging import interchange
from lm2viz.causal.interventions import (
    Erase,
    Mean,
    Resample,
    ResetBank,
    Swap,
    Zero,
)
from lm2viz.causal.interventions_json import from_json, to_json
from lm2viz.causal.maps import CausalMap, causal_map
from lm2viz.causal.memory_edits import MemoryEdit, make_edits
from lm2viz.causal.parts import CausalParts, causal_parts
from lm2viz.causal.running import Run, run
from lm2viz.causal.slot_lens import slot_lens
from lm2viz.causal.slot_lens_result import SlotLens
from lm2viz.causal.slot_sets import search_slots
from lm2viz.causal.slot_sets_result import SlotSets
from lm2viz.causal.slot_use import SlotUse, slot_use
from lm2viz.causal.subspace import Subspace
from lm2viz.causal.subspace_result import SubspaceEffects
from lm2viz.causal.subspace_search import search_subspace

__all__ = [
    "Attribution",
    "BlockRead",
    "CausalMap",
    "CausalParts",
    "ClampGate",
    "EditEffects",
    "Effect",
    "Erase",
    "Eraser",
    "Freeze",
    "Interchange",
    "Intervention",
    "SentenceAblation",
    "Mean",
    "MemoryEdit",
    "Pair",
    "Resample",
    "ResetBank",
    "Run",
    "Saliencies",
    "SlotLens",
    "SlotSets",
    "SlotUse",
    "Subspace",
    "SubspaceEffects",
    "Swap",
    "Zero",
    "attribute_answers",
    "causal_map",
    "causal_parts",
    "compare_edits",
    "draw_pairs",
    "edit_effects",
    "effect",
    "from_json",
    "interchange",
    "leace",
    "ablate_sentences",
    "record_slot_losses",
    "make_edits",
    "mean_projection",
    "run",
    "search_slots",
    "search_subspace",
    "slot_gradients",
    "slot_lens",
    "slot_use",
    "to_json",
    "answers_without_sentences",
]
