"""The stage's JavaScript and style as text that a page can hold: nothing is fetched, nothing is built."""

import json
import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
# In this order: what a narrow page changes comes last.
STYLES = (
    "stage", "stage_scene", "stage_story", "stage_memory", "stage_answer", "stage_card", "stage_controls",
    "tour", "lessons", "stage_narrow",
)  # fmt: skip
IMPORT = re.compile(r'from "(\w+)";')
# Gives every module an address of its own, dependencies first, and puts it where others import it by name.
LOADER = """const sources = SOURCES;
const addresses = {};
for (const [name, source] of Object.entries(sources)) {
  const linked = source.replace(/from "(\\w+)";/g, (_, other) => `from "${addresses[other]}";`);
  addresses[name] = URL.createObjectURL(new Blob([linked], { type: "text/javascript" }));
}
export const entry = await import(addresses["ENTRY"]);
export default entry.default;
"""


@cache
def with_imports(name: str) -> str:
    """One ES module that holds module ``name`` and all that it imports by bare name.

    It exports the module as ``entry``, and its default. Safe inside a script element: it has no ``<``.
    """
    sources: dict[str, str] = {}
    _collect(name, sources)
    text = json.dumps(sources).replace("<", "\\u003c")
    return LOADER.replace("ENTRY", name).replace("SOURCES", text)


def _collect(name: str, sources: dict[str, str]) -> None:
    source = (FOLDER / f"{name}.js").read_text(encoding="utf-8")
    for other in IMPORT.findall(source):
        if other not in sources:
            _collect(other, sources)
    sources[name] = source


def style() -> str:
    """The style of the stage, the tour and the lessons, as one sheet."""
    return "\n".join((FOLDER / f"{name}.css").read_text(encoding="utf-8") for name in STYLES)
