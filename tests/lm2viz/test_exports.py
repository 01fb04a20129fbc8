"""What lm2viz gives at its top: each name works, is typed and helped, and costs nothing until it is used."""

import ast
import pydoc
import subprocess
import sys
from importlib import import_module

import pytest

import lm2viz
from tests.conftest import ROOT


def test_every_name_is_there_is_in_dir_and_is_what_the_type_checker_sees():
    assert dir(lm2viz) == sorted(lm2viz.__all__)
    assert set(lm2viz.__all__) == set(lm2viz._HOME)
    tree = ast.parse((ROOT / "lm2viz" / "__init__.py").read_text())
    seen = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("lm2viz")
        for alias in node.names
    }
    assert seen == {name: f"lm2viz.{home}" for name, home in lm2viz._HOME.items()}
    for name in lm2viz.__all__:
        assert getattr(lm2viz, name) is getattr(import_module(seen[name]), name)


def test_no_name_hides_a_subpackage():
    folders = {path.stem for path in (ROOT / "lm2viz").iterdir()}
    assert not folders & set(lm2viz.__all__)


def test_an_unknown_name_is_told_with_the_known_ones():
    with pytest.raises(AttributeError, match="no attribute 'effects'; it has: BankRows, ClampGate"):
        lm2viz.effects  # noqa: B018
    with pytest.raises(ImportError, match="effects"):
        from lm2viz import effects  # noqa: F401


def test_help_tells_of_every_name():
    text = pydoc.plain(pydoc.render_doc(lm2viz))
    for name in lm2viz.__all__:
        assert f"class {name}(" in text or f"{name}(" in text


def test_what_reads_traces_is_imported_without_torch():
    code = "import sys, lm2viz as v; v.probe, v.StorySample, v.gate_stats; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout == "False\n"
