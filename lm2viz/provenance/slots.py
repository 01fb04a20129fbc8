"""What each slot holds, by the sentence and the token that it came from."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.errors import UserError
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.figures.provenance import share_heatmap
from lm2viz.provenance.parts import Decomposition, decompositions, shares, token_shares
from lm2viz.provenance.traces import check_story_trace, source_names


@dataclass(frozen=True, slots=True)
class SlotSources:
    """The bank after some sentences as sums over sentences, tokens and the start bank.

    sources : the sentences, and last the start bank
    written : ndarray of shape (n_sources, n_slots), signed shares by who wrote it; columns sum to 1
    direct, indirect : the same by where it came from; ``direct + indirect`` sums to 1, see ``Parts``
    tokens : one row a token and block, its share of each slot by who wrote it
    error : largest size of what the sums miss of the bank, in its own unit
    """

    sources: tuple[str, ...]
    written: Array
    direct: Array
    indirect: Array
    tokens: pd.DataFrame
    error: float

    @property
    def origin(self) -> Array:
        """Shares by where it came from, directly or over other slots, (n_sources, n_slots)."""
        return self.direct + self.indirect

    def summary(self) -> str:
        """The largest share of each slot, beside what every source would have if they were equal."""
        lines = []
        for slot in range(self.origin.shape[1]):
            if np.isnan(self.origin[:, slot]).any():
                lines.append(f"slot {slot}: {'empty' if np.isfinite(self.error) else 'not finite'}")
                continue
            top = int(self.origin[:, slot].argmax())
            text = f"{self.origin[top, slot]:.0%} from {self.sources[top]}"
            lines.append(f"slot {slot}: {text} ({self.indirect[top, slot]:.0%} over other slots)")
        even = f"if all sources were equal: {1 / len(self.sources):.0%}"
        return "\n".join([*lines, even, f"the sums miss at most {self.error:.1e} of any value of the bank"])

    def table(self) -> pd.DataFrame:
        """One row a source and slot."""
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
        """Heatmap of the shares by where it came from."""
        title = f"Where each slot's content came from (sums miss {self.error:.0e}; even: {self._even:.0%})"
        return share_heatmap(self.origin, self.sources, title)

    @property
    def _even(self) -> float:
        return 1 / len(self.sources)


def unroll(trace: Trace, story: int, step: int, *, follow: str = "copies") -> SlotSources:
    """The bank after sentence ``step`` of ``story`` (both from 0), by where its content came from.

    follow : see ``unrolled``

    Raises
    ------
    UserError
        As ``check_story_trace``, and when the trace has no such story or sentence.
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
    """``SlotSources.origin`` (n_sources, n_slots) and its error, of a trace that has the hooks."""
    bank, parts = _parts_of_bank(trace, story, step, "copies")
    return shares(parts.direct + parts.indirect, bank), parts.error(bank)


def _parts_of_bank(trace: Trace, story: int, step: int, follow: str) -> tuple[Array, Decomposition]:
    """The bank after a sentence, and its parts without those of sentences to come."""
    bank = trace.select("hook_bank", story=story, segment=step).astype(float)
    *_, parts = decompositions(trace, story, step + 1, follow)
    retained = [*range(step + 1), -1]
    return bank, Decomposition(parts.written[retained], parts.direct[retained], parts.indirect[retained])


def _check_place(trace: Trace, story: int, step: int) -> None:
    if not 0 <= story < len(trace.tokens) or not 0 <= step < len(trace.tokens[story]):
        sizes = f"{len(trace.tokens)} stories"
        if 0 <= story < len(trace.tokens):
            sizes += f", story {story} {len(trace.tokens[story])} sentences"
        raise UserError(f"no sentence {step} of story {story}: the trace has {sizes}; count from 0")


def _token_table(trace: Trace, story: int, n_read: int) -> pd.DataFrame:
    rows = [
        {
            "sentence": segment,
            "block": block,
            "token": token,
            "word": trace.tokens[story][segment][token],
            **{f"slot {slot}": value for slot, value in enumerate(row)},
        }
        for segment, block, result in token_shares(trace, story, n_read)
        for token, row in enumerate(result)
    ]
    return pd.DataFrame(rows).sort_values(["sentence", "block", "token"], ignore_index=True)
