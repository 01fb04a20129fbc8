"""The installed ``lm2`` command: that of lm2core, and analyses. Heavy imports happen inside the commands."""

from collections.abc import Callable

from lm2core.cli.main import app, main
from lm2core.errors import UserError
from lm2viz.cli.ablate_sentences import ablate_sentences_command
from lm2viz.cli.app import app_command
from lm2viz.cli.attribute import attribute
from lm2viz.cli.causal_map import causal_map
from lm2viz.cli.classroom import classroom
from lm2viz.cli.edit_memory import edit_memory
from lm2viz.cli.emergence import emergence
from lm2viz.cli.interchange import interchange_command
from lm2viz.cli.intervene import intervene
from lm2viz.cli.lens import lens
from lm2viz.cli.match_slots import match_slots_command
from lm2viz.cli.probe import probe_command
from lm2viz.cli.provenance import provenance
from lm2viz.cli.report import report
from lm2viz.cli.slots import slots_command
from lm2viz.cli.stats import stats_command
from lm2viz.cli.trial import trial_command

__all__ = ["main"]

COMMANDS: dict[str, Callable[..., None]] = {
    "app": app_command,
    "report": report,
    "classroom": classroom,
    "stats": stats_command,
    "slots": slots_command,
    "lens": lens,
    "probe": probe_command,
    "provenance": provenance,
    "ablate-sentences": ablate_sentences_command,
    "intervene": intervene,
    "interchange": interchange_command,
    "edit-memory": edit_memory,
    "causal-map": causal_map,
    "attribute": attribute,
    "match-slots": match_slots_command,
    "emergence": emergence,
    "trial": trial_command,
}
FORMER_NAMES = {
    "look": "stats",
    "explore": "slots",
    "leave-out": "ablate-sentences",
    "effect": "intervene",
    "map": "causal-map",
    "diff": "match-slots",
    "became": "emergence",
}


def _refuse(former: str) -> Callable[[], None]:
    def refuse() -> None:
        raise UserError(f"'lm2 {former}' is now 'lm2 {FORMER_NAMES[former]}'; its options are the same")

    return refuse


for name, command in COMMANDS.items():
    app.command(name, rich_help_panel="Look into a memory")(command)
for former in FORMER_NAMES:
    settings = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(former, hidden=True, context_settings=settings)(_refuse(former))
