"""Statistics of banks over many stories: gates, effective rank, a map of slots, reads before and after."""

from lm2viz.stats.banks import BankStats, BankUse, bank_stats
from lm2viz.stats.before_after import ReadComparison, compare_reads
from lm2viz.stats.gates import Gates, GateStats, gate_stats
from lm2viz.stats.measures import effective_rank, half_life, redundancy, slot_similarity
from lm2viz.stats.pca import Projection, SlotPCA
from lm2viz.stats.question_reads import Reads, ReadSpec, join_questions, replace_questions
from lm2viz.stats.slot_map import SlotMap, map_slots

__all__ = [
    "BankStats",
    "BankUse",
    "ReadComparison",
    "GateStats",
    "Gates",
    "ReadSpec",
    "Projection",
    "Reads",
    "SlotMap",
    "SlotPCA",
    "replace_questions",
    "bank_stats",
    "compare_reads",
    "effective_rank",
    "gate_stats",
    "half_life",
    "join_questions",
    "map_slots",
    "redundancy",
    "slot_similarity",
]
