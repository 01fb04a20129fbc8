"""The code of docs/INTEROP.md runs as it stands; a tool that is not installed is skipped by name."""

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from importlib.util import find_spec

import pytest

from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "INTEROP.md").read_text()
BLOCKS = dict(re.findall(r"<!-- ([\w.]+) -->\n```python\n(.*?)```", PAGE, re.DOTALL))
TABLE = dict(re.findall(r"^\| \[(\w+)\]\(#\w+\) \| ([\d.]+) \|", PAGE, re.MULTILINE))
GROUP = "transformer_lens.architectures"
REQUIRED = {"transformer_lens", "captum"}  # CI installs these, and skips none of their blocks


def test_every_tool_of_the_table_has_code_and_the_other_way_round():
    assert {name.lower() for name in TABLE} == {name.partition(".")[0].replace("_", "") for name in BLOCKS}
    assert PAGE.count("```python") == len(BLOCKS)


@pytest.mark.parametrize("distribution", ["transformer-lens", "captum"])
def test_the_versions_of_the_table_are_those_that_are_required(distribution):
    required = (ROOT / "requirements.txt").read_text() + (ROOT / "requirements-dev.txt").read_text()
    tried = {name.lower(): number for name, number in TABLE.items()}[distribution.replace("-", "")]
    assert f"\n{distribution}=={tried}\n" in required


@pytest.mark.slow
@pytest.mark.parametrize("name", BLOCKS)
def test_a_block_of_the_page_runs_as_it_stands(name, tmp_path):
    tool = name.partition(".")[0]
    if find_spec(tool) is None:
        assert not (os.environ.get("CI") and tool in REQUIRED), f"requirements-dev.txt installs {tool}"
        pytest.skip(f"{tool} is not installed: docs/INTEROP.md says with which version it was tried")
    if name == "transformer_lens.model_bridge" and not entry_points(group=GROUP):
        pytest.skip("lm2 was installed before it had the entry point: pip install -e .")
    (tmp_path / "block.py").write_text(BLOCKS[name])
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(
        [sys.executable, "block.py"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
