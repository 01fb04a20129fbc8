"""Hook of mkdocs: the README and its neighbours as pages, and a page of the API for each folder of modules.

Nothing is written to disk and no module is listed by hand: a new one is on its page at the next build.
"""

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = ("lm2core", "lm2viz")
PAGES = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}


def api_pages() -> dict[str, str]:
    """Markdown of each page of the API by its path: one folder, then each of its public modules."""
    pages = {}
    for package in PACKAGES:
        for init in sorted((ROOT / package).rglob("__init__.py")):
            folder = init.parent.relative_to(ROOT)
            name = ".".join(folder.parts)
            modules = sorted(path.stem for path in init.parent.glob("*.py") if not path.stem.startswith("__"))
            blocks = [
                f"::: {name}\n    options:\n      heading_level: 1\n",
                *(f"::: {name}.{m}\n" for m in modules),
            ]
            pages[f"api/{name}.md"] = "\n".join(blocks)
    return pages


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The API goes to the end of the menu."""
    config.nav.append({"API": [{Path(path).stem: path} for path in api_pages()]})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Pages that are no files of docs/."""
    for source, target in PAGES.items():
        text = re.sub(r"\]\(docs/", "](", (ROOT / source).read_text()).replace("](README.md", "](index.md")
        files.append(File.generated(config, target, content=text))
    for path, text in api_pages().items():
        files.append(File.generated(config, path, content=text))
    return files
