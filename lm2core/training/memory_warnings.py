"""What the logged metrics of the memory warn of, in one line each. Needs no torch."""

from collections.abc import Mapping

PREFIX = "memory_"
NEVER_WRITTEN_IN = 500  # optimizer steps without a write after which a slot is warned of
SHUT = 0.02  # a gate is shut if its mean is below


def memory_warnings(line: Mapping[str, float | None]) -> list[str]:
    """Warnings from one line of ``metrics.jsonl``; none if it has no metrics of the memory."""

    def of(name: str) -> float | None:
        return line.get(f"{PREFIX}{name}")

    warnings = []
    unwritten, n_slots = of("n_never_written"), of("n_slots")
    if unwritten and n_slots:
        warnings.append(
            f"{unwritten:.0f} of {n_slots:.0f} slots were never written in {NEVER_WRITTEN_IN} steps"
        )
    for gate, says in (
        ("gate_in", "input gates are shut: nothing is written"),
        ("gate_forget", "forget gates are shut: nothing is kept"),
        ("gate_out", "output gates are shut: nothing that is read is used"),
    ):
        mean = of(gate)
        if mean is not None and mean < SHUT:
            warnings.append(says)
    return warnings
