"""The content of each slot, by the sentences and tokens that it came from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.figures.provenance import share_heatmap
from lm2viz.provenance.decomposition import Decomposition, last_decomposition, shares, token_shares
from lm2viz.provenance.traces import check_story_trace, source_names


@dataclass(frozen=True, slots=True)
class SlotSources:
    """The bank after some sentences, as sums over sentences and tokens and the start bank.

    sources : the sentences, then the start bank
    written : ndarray of shape (n_sources, n_slots), signed shares by writing sentence; columns sum to 1
    direct, indirect : the same by origin, see ``Decomposition``; ``direct + indirect`` sums to 1
    tokens : one row per token and block, with the share of each slot that it wrote
    error : largest absolute difference between the sums and the bank
    """

    sources: tuple[str, ...]
    written: Array
    direct: Array
    indirect: Array
    tokens: pd.DataFrame
    error: float

    @property
    def origin(self) -> Array:
        """Shares by origin, directly or via other slots, (n_sources, n_slots)."""
        return self.direct + self.indirect

    def summary(self) -> str:
        """The largest source of each slot, and the share that each source would have if all were equal."""
        lines = []
        for slot in range(self.origin.shape[1]):
            if np.isnan(self.origin[:, slot]).any():
                lines.append(f"slot {slot}: {'empty' if np.isfinite(self.error) else 'not finite'}")
                continue
            top = int(self.origin[:, slot].argmax())
            text = f"{self.origin[top, slot]:.0%} from {self.sources[top]}"
            lines.append(f"slot {slot}: {text} ({self.indirect[top, slot]:.0%} via other slots)")
        even = f"equal shares would be {1 / len(self.sources):.0%}"
        return "\n".join([*lines, f"{even}; the parts add up to the bank to within {self.error:.1e}"])

    def table(self) -> pd.DataFrame:
        """One row per source and slot."""
        n_sources, n_slots = self.written.shape
        return pd.DataFrame(
            {
                "source": np.repeat(list(self.sources), n_slots),
                "slot": np.tile(np.arange(n_slots), n_sources),
                "written": self.written.ravel(),
                "direct": self.direct.ravel(),
                "indirect": self.indirect.ravel(),
                "if_equal": 1 / n_sources,
            }
        )

    def figure(self) -> go.Figure:
        """Heatmap of the shares by origin."""
        title = f"Where each slot's content came from (equal shares: {self._even:.0%})"
        return share_heatmap(self.origin, self.sources, title)

    @property
    def _even(self) -> float:
        return 1 / len(self.sources)


def unroll(trace: Trace, story: int, step: int, *, follow: str = "copies") -> SlotSources:
    """Unroll the bank after sentence ``step`` of ``story`` (both from 0) into its sources.

    follow : see ``decompositions``

    Raises
    ------
    UserError
        As ``check_story_trace``; when the trace has no such story or sentence.
    """
    check_story_trace(trace, follow)
    _check_place(trace, story, step)
    bank, parts = _parts_of_bank(trace, story, step, follow)
    return SlotSources(
        source_names(trace, story, step + 1),
        written=shares(parts.written, bank),
        direct=shares(parts.direct, bank),
        indirect=shares(parts.indirect, bank),
        tokens=_token_table(trace, story, step + 1),
        error=parts.error(bank),
    )


def slot_origins(trace: Trace, story: int, step: int) -> tuple[Array, float]:
    """``SlotSources.origin`` (n_sources, n_slots) and its error, for a trace that has the hooks."""
    bank, parts = _parts_of_bank(trace, story, step, "copies")
    return shares(parts.direct + parts.indirect, bank), parts.error(bank)


def _parts_of_bank(trace: Trace, story: int, step: int, follow: str) -> tuple[Array, Decomposition]:
    """The bank after a sentence, and its parts without those of later sentences."""
    bank = trace.select("hook_bank", story=story, segment=step).astype(float)
    parts = last_decomposition(trace, story, step + 1, follow)
    sources = [*range(step + 1), -1]
    return bank, Decomposition(parts.written[sources], parts.direct[sources], parts.indirect[sources])


def _check_place(trace: Trace, story: int, step: int) -> None:
    if not 0 <= story < len(trace.tokens) or not 0 <= step < len(trace.tokens[story]):
        sizes = f"{len(trace.tokens)} stories"
        if 0 <= story < len(trace.tokens):
            sizes += f", story {story} has {len(trace.tokens[story])} sentences"
        raise UserError(f"no sentence {step} of story {story}: the trace has {sizes}; both count from 0")


def _token_table(trace: Trace, story: int, n_read: int) -> pd.DataFrame:
    rows = [
        {
            "sentence": segment,
            "block": block,
            "token": token,
            "word": trace.tokens[story][segment][token],
            **{f"slot {slot}": value for slot, value in enumerate(row)},
        }
        for segment, block, shares_by_token in token_shares(trace, story, n_read)
        for token, row in enumerate(shares_by_token)
    ]
    return pd.DataFrame(rows).sort_values(["sentence", "block", "token"], ignore_index=True)
