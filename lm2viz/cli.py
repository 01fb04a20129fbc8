"""The installed ``lm2`` command: that of lm2core, and analyses. Heavy imports happen inside the commands."""

from collections.abc import Callable

from lm2core.cli import app, main
from lm2viz.commands.attribute import attribute
from lm2viz.commands.became import became
from lm2viz.commands.diff import diff
from lm2viz.commands.effect import effect
from lm2viz.commands.explore import explore
from lm2viz.commands.leave_out import leave_out
from lm2viz.commands.look import look
from lm2viz.commands.map import causal_map
from lm2viz.commands.probe import probe
from lm2viz.commands.provenance import provenance
from lm2viz.commands.report import report

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
