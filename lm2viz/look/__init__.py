"""Looking at banks: slots as points, gates over many stories, reads before and after updates. No torch."""

from lm2viz.look.banks import BankStats, BankUse, bank_stats
from lm2viz.look.before_after import BeforeAfter, compare_reads
from lm2viz.look.gates import Gates, GateStats, gate_stats
from lm2viz.look.pca import Projection, SlotPCA
from lm2viz.look.reads import Look, Reads, ask_at
from lm2viz.look.slot_map import SlotMap, map_slots
from lm2viz.look.stats import effective_rank, half_life, redundancy, slot_similarity

__all__ = [
    "BankStats",
    "BankUse",
    "BeforeAfter",
    "GateStats",
    "Gates",
    "Look",
    "Projection",
    "Reads",
    "SlotMap",
    "SlotPCA",
    "ask_at",
    "bank_stats",
    "compare_reads",
    "effective_rank",
    "gate_stats",
    "half_life",
    "map_slots",
    "redundancy",
    "slot_similarity",
]
