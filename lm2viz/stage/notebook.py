"""The stage in a notebook: what a cell shows of a story."""

from dataclasses import dataclass, field
from html import escape

from lm2core.traces.trace import Trace
from lm2viz.stage.page import check_length, stage_page
from lm2viz.stage.payload import trace_payload
from lm2viz.stage.slot_probes import Json

HEIGHT = 640  # pixels


@dataclass(frozen=True)
class StageView:
    """A stage that a notebook draws as the value of a cell; ``payload`` is what it draws."""

    title: str
    payload: Json = field(repr=False)
    engine: Json | None = field(default=None, repr=False)

    def _repr_html_(self) -> str:
        """A page of its own inside the notebook: neither can change the other."""
        page = escape(stage_page(self.title, "", self.payload, engine=self.engine))
        return f'<iframe srcdoc="{page}" style="width:100%;height:{HEIGHT}px;border:0"></iframe>'


def show(trace: Trace, *, story: int = 0) -> StageView:
    """One story of a trace on the stage, as the value of a notebook's cell.

    Raises
    ------
    UserError
        When the trace lacks the hooks of the write, has no such story, or the story is too long.
    """
    payload = trace_payload(trace, story=story)
    check_length(payload["sentences"])
    return StageView(f"Memory of {payload['model']['name']}", payload)
