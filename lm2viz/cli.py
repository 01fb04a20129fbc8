"""The installed ``lm2`` command: that of lm2core, and analyses. Heavy imports happen inside the commands."""

from lm2core.cli import app, main
from lm2viz.commands.effect import effect
from lm2viz.commands.report import report

__all__ = ["main"]

for command in (report, effect):
    app.command(rich_help_panel="Look into a memory")(command)
