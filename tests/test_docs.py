"""The documents: links lead somewhere, code names exist, files that are named are there."""

import ast
import re
from functools import cache
from importlib import import_module

import pytest
import typer

from lm2viz.cli.main import app
from tests.conftest import ROOT

PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
]
PACKAGES = ("lm2core", "lm2viz", "app")
COMMANDS = set(typer.main.get_command(app).commands)


def anchors(text: str) -> set[str]:
    """Headings as GitHub names them in links."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def defined_names() -> set[str]:
    """What the packages define: modules, classes, functions, fields, and the parts of hook names and axes."""
    names: set[str] = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            names |= {file.stem, file.parent.name}
            for node in ast.walk(ast.parse(file.read_text())):
                match node:
                    case (
                        ast.FunctionDef(name=name)
                        | ast.ClassDef(name=name)
                        | ast.Name(id=name, ctx=ast.Store())
                    ):
                        names.add(name)
                    case ast.Constant(value=str(text)) if re.fullmatch(r"[\w.{}]+", text):
                        names |= set(text.split("."))
    return names


def code_names(text: str) -> list[str]:
    """Code spans that name something; formulas, options and file names are other things."""
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", text)
    return [
        span
        for span in spans
        if re.fullmatch(r"(lm2 )?[A-Za-z_][\w.-]*", span) and not span.endswith((".py", ".md"))
    ]


def exists(name: str) -> bool:
    """A command, a dotted path that can be imported, or names that the packages define."""
    if name.startswith("lm2 "):
        return name.removeprefix("lm2 ") in COMMANDS
    if name.startswith(("lm2core.", "lm2viz.")):
        return can_be_imported(name)
    return set(name.split(".")) <= defined_names()


def can_be_imported(path: str) -> bool:
    """A module, or what a module has under that name."""
    try:
        import_module(path)
    except ModuleNotFoundError:
        parent, _, name = path.rpartition(".")
        return bool(parent) and hasattr(import_module(parent), name)
    return True


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(page):
    here = ROOT / page
    for target in re.findall(r"\]\(([^)\s]+)\)", here.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (here.parent / path).resolve() if path else here
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text()), target


def test_every_code_name_of_the_glossary_exists():
    rows = re.findall(r"^\| .+ \| .+ \| (.+) \|$", (ROOT / "docs" / "GLOSSARY.md").read_text(), re.MULTILINE)
    names = [name for row in rows for name in code_names(row)]
    assert len(names) > 60
    assert [name for name in names if not exists(name)] == []


def test_every_function_and_command_of_the_analyses_exists():
    rows = re.findall(
        r"^\| .+ \| (.+) \| (.+) \| .+ \| .+ \|$", (ROOT / "docs" / "ANALYSES.md").read_text(), re.M
    )
    names = [name for row in rows for cell in row for name in code_names(cell)]
    assert len(names) > 30
    assert [name for name in names if not exists(name)] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/ARCHITECTURE.md", "docs/MODELS.md"])
def test_every_path_of_the_repository_that_a_document_names_is_there(page):
    paths = re.findall(
        r"`((?:lm2core|lm2viz|app|docs|tests|benchmarks|\.ci)/[\w./-]+)`", (ROOT / page).read_text()
    )
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def test_the_tree_names_every_folder_and_no_file_that_is_not_there():
    """Where a folder's line says enough, its files have none of their own."""
    text = (ROOT / "docs" / "ARCHITECTURE.md").read_text()
    tree = text[text.index("## Where things are") : text.index("## What is not here yet")]
    folders = {f"{p.name}/" for package in PACKAGES for p in (ROOT / package).iterdir() if p.is_dir()}
    lines = re.findall(r"^ +([.\w]+/)  ", tree, re.MULTILINE)
    assert folders - {"__pycache__/"} <= set(lines)
    files = {p.name for folder in (*PACKAGES, "docs") for p in (ROOT / folder).rglob("*.py")} | {"setup.py"}
    assert set(re.findall(r"[\w]+\.py", tree)) <= files


def test_the_log_begins_with_an_index_of_its_entries():
    text = (ROOT / "docs" / "LOG.md").read_text()
    entries = re.findall(r"^## (\d{4}-.+)$", text, re.MULTILINE)
    assert re.findall(r"^- \[(.+)\]\(#", text, re.MULTILINE)[: len(entries)] == entries
