"""The arrow app -> lm2viz -> lm2core: no package imports one above it."""

import ast

import pytest

from tests.conftest import ROOT

FORBIDDEN = {
    "lm2core": {"lm2viz", "app", "streamlit", "plotly", "matplotlib", "sklearn"},
    "lm2viz": {"app", "streamlit", "transformers", "transformer_lens"},
}
RUNS_MODELS = ("causal", "cli", "trial")  # the parts of lm2viz that need torch: all else opens traces without


def imported(source: str) -> set[str]:
    """First names of all imports of a file, also those inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", FORBIDDEN)
def test_no_package_imports_one_above_it(package):
    files = list((ROOT / package).rglob("*.py"))
    assert files
    wrong = {
        str(f.relative_to(ROOT)): result
        for f in files
        if (result := imported(f.read_text()) & FORBIDDEN[package])
    }
    assert wrong == {}


def test_only_what_runs_a_model_needs_torch():
    files = (ROOT / "lm2viz").rglob("*.py")
    without = [f for f in files if f.relative_to(ROOT / "lm2viz").parts[0] not in RUNS_MODELS]
    assert len(without) > 5
    assert [f.name for f in without if "torch" in imported(f.read_text())] == []


def test_an_import_hidden_in_a_function_is_seen():
    assert imported("def f():\n    from app.state import URL\n") & FORBIDDEN["lm2viz"] == {"app"}


def test_views_compute_nothing_and_hold_no_cache():
    """No arrays library, no arithmetic on names but counting steps, no cache."""
    for file in [*(ROOT / "app" / "views").glob("*.py"), ROOT / "app" / "panels" / "story_memory.py"]:
        tree = ast.parse(file.read_text())
        assert not imported(file.read_text()) & {"torch", "numpy"}
        for node in ast.walk(tree):
            if isinstance(node, ast.BinOp):
                assert isinstance(node.left, ast.Constant) or isinstance(node.right, ast.Constant), (
                    ast.unparse(node)
                )
        assert "st.cache" not in file.read_text()


def test_every_cache_of_the_app_says_how_much_it_keeps():
    """One without arguments keeps one thing."""
    n_caches = 0
    for file in (ROOT / "app").rglob("*.py"):
        for function in ast.walk(ast.parse(file.read_text())):
            for mark in getattr(function, "decorator_list", ()):
                if "st.cache" not in ast.unparse(mark):
                    continue
                n_caches += 1
                options = {keyword.arg for keyword in getattr(mark, "keywords", ())}
                assert "max_entries" in options or not function.args.args, f"{file.name}: {function.name}"
    assert n_caches > 30
