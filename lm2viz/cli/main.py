"""The installed ``lm2`` command: that of lm2core, and analyses. Heavy imports happen inside the commands."""

from collections.abc import Callable

from lm2core.cli.main import app, main
from lm2viz.cli.ablate_sentences import leave_out
from lm2viz.cli.attribute import attribute
from lm2viz.cli.causal_map import causal_map
from lm2viz.cli.emergence import became
from lm2viz.cli.intervene import effect
from lm2viz.cli.match_slots import diff
from lm2viz.cli.probe import probe
from lm2viz.cli.provenance import provenance
from lm2viz.cli.report import report
from lm2viz.cli.slots import explore
from lm2viz.cli.stats import look

__all__ = ["main"]

COMMANDS: dict[str, Callable[..., None]] = {
    "report": report,
    "look": look,
    "explore": explore,
    "probe": probe,
    "provenance": provenance,
    "leave-out": leave_out,
    "effect": effect,
    "map": causal_map,
    "attribute": attribute,
    "diff": diff,
    "became": became,
}
for name, command in COMMANDS.items():
    app.command(name, rich_help_panel="Look into a memory")(command)
