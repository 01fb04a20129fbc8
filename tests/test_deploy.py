"""The Dockerfile and the examples of docs/DEPLOY.md name what exists, and agree with each other."""

import re
import tomllib
from fnmatch import fnmatch

import pytest
from streamlit import config

from lm2viz.cli.app_settings import NAMES, read_settings
from tests.conftest import ROOT
from tests.test_readme import block as readme_block

DEPLOY = (ROOT / "docs" / "DEPLOY.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
INSTALL, START = readme_block("start").strip().rsplit(" && ", 1)
NEEDED = (
    "app",
    "lm2core",
    "lm2viz",
    "requirements.txt",
    "setup.py",
    "README.md",
    "docs/comparison/table.json",
)


def block(language: str) -> str:
    """The fenced block of this language; the last where there are several."""
    return re.findall(rf"```{language}\n(.*?)```", DEPLOY, re.DOTALL)[-1]


def steps(instruction: str) -> list[str]:
    return re.findall(rf"^{instruction} (.+)$", DOCKERFILE, re.MULTILINE)


def test_the_image_installs_and_starts_as_the_readme_does():
    assert steps("RUN")[0].replace("--no-cache-dir ", "") == INSTALL
    assert re.findall(r'"(.+?)"', steps("CMD")[0]) == START.split()


def test_the_image_gets_every_file_that_installing_and_the_app_need():
    assert steps("COPY") == [". ."]
    left_out = [line.removeprefix("**/") for line in (ROOT / ".dockerignore").read_text().split()]
    readme = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["readme"]
    for path in (*NEEDED, readme):
        assert (ROOT / path).exists()
        assert [part for part in path.split("/") if any(fnmatch(part, line) for line in left_out)] == []


def test_the_image_does_not_run_as_root():
    instructions = re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE)
    assert steps("USER") == ["lm2"]
    assert instructions.index("USER") < instructions.index("CMD")


EXAMPLES = {"Dockerfile": DOCKERFILE, "systemd": block("ini"), "docker run": block("bash")}


@pytest.mark.parametrize("text", EXAMPLES.values(), ids=EXAMPLES)
def test_every_setting_of_an_example_exists_and_is_allowed(text):
    given = dict(re.findall(r"\b((?:LM2|STREAMLIT)_\w+)=([^\s\"]+)", text))
    assert len(given) > 2
    assert {name for name in given if name.startswith("LM2_")} <= set(NAMES)
    read_settings(given)
    options = {option.env_var for option in config._config_options_template.values()}
    assert {name for name in given if name.startswith("STREAMLIT_")} <= options


def test_every_setting_is_explained_and_no_other():
    assert re.findall(r"^\| `(LM2_\w+)` \|", DEPLOY, re.MULTILINE) == list(NAMES)
    assert set(re.findall(r"LM2_[A-Z_]+", DEPLOY)) == set(NAMES)


def test_the_path_and_the_port_are_the_same_in_the_unit_and_in_both_proxies():
    path = re.search(r"BASE_URL_PATH=(\w+)", block("ini"))[1]
    port = re.search(r"lm2 app --port (\d+)", block("ini"))[1]
    for proxy in (block("nginx"), block("caddy")):
        assert f" /{path}/" in proxy
        assert f"127.0.0.1:{port}" in proxy
    assert f"BASE_URL_PATH={path} " in block("bash")
