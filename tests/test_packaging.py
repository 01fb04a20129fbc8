"""What a wheel carries, and that the app starts from any folder with its own settings."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lm2core.reading.checkpoints import SHIPPED, shipped_models
from tests.conftest import ROOT

SOURCES = ("lm2core", "lm2viz", "app", "docs/comparison", "pyproject.toml", "setup.py", "README.md")
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INFO = f"lm2-{PROJECT['version']}.dist-info"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> list[str]:
    """The names of all files in a wheel built of a copy of the sources, without network."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
    ]
    done = subprocess.run([*command, "-w", str(built), str(source)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (path,) = built.glob("lm2-*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def test_a_wheel_installs_two_packages_and_no_other_top_level_name(wheel):
    assert {name.split("/")[0] for name in wheel} == {
        "lm2core",
        "lm2viz",
        f"lm2-{PROJECT['version']}.dist-info",
    }


def test_a_wheel_has_the_stage_s_scripts_style_and_probes(wheel):
    files = [
        path for path in (ROOT / "lm2viz" / "stage").rglob("*") if path.suffix in (".js", ".css", ".json")
    ]
    assert len(files) > 10 and {path.relative_to(ROOT).as_posix() for path in files} <= set(wheel)


def test_a_wheel_says_that_both_packages_are_typed(wheel):
    assert {"lm2core/py.typed", "lm2viz/py.typed"} <= set(wheel)


def test_a_wheel_carries_every_module(wheel):
    modules = {
        str(path.relative_to(ROOT))
        for package in ("lm2core", "lm2viz")
        for path in (ROOT / package).rglob("*.py")
    }
    assert modules <= set(wheel)


def test_a_wheel_carries_every_shipped_model_whole(wheel):
    for name in shipped_models(baselines=True):
        files = {f"lm2core/pretrained/{name}/{path.name}" for path in (SHIPPED / name).iterdir()}
        assert files <= set(wheel)
        assert f"lm2core/pretrained/{name}/model.safetensors" in files


def test_a_wheel_carries_the_app_as_it_is_laid_out_in_the_repository(wheel):
    app = {
        f"lm2viz/_app/{path.relative_to(ROOT)}"
        for path in (ROOT / "app").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert app <= set(wheel)
    assert "lm2viz/_app/app/.streamlit/config.toml" in app
    assert "lm2viz/_app/docs/comparison/table.json" in wheel
    assert not [name for name in wheel if "__pycache__" in name]


def test_every_pinned_version_lies_within_the_bounds_of_the_package():
    """requirements.txt is what is tested: pyproject.toml must allow it, and pin nothing less."""
    pins = dict(re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    for requirement in PROJECT["dependencies"]:
        match = re.fullmatch(r"([\w-]+)>=([\d.]+),<(\d+)", requirement)
        assert match, f"{requirement}: wants a lower bound and the first major version that is not allowed"
        name, low, high = match.groups()
        pin = [int(part) for part in pins[name].split(".")]
        assert [int(part) for part in low.split(".")] <= pin < [int(high)], requirement


@pytest.mark.slow
def test_the_app_starts_from_any_folder_with_its_own_settings(tmp_path):
    """Without settings Streamlit would announce usage statistics; the empty home has none either."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lm2 = str(Path(sys.executable).parent / "lm2")
    environment = os.environ | {"HOME": str(tmp_path), "STREAMLIT_SERVER_HEADLESS": "true"}
    log = tmp_path / "log"
    with (
        log.open("w") as out,
        subprocess.Popen(
            [lm2, "app", "--port", str(port)], cwd=tmp_path, env=environment, stdout=out, stderr=out
        ) as server,
    ):
        try:
            assert answers(f"http://127.0.0.1:{port}/_stcore/health", patience_s=60), log.read_text()
        finally:
            server.terminate()
    assert str(port) in log.read_text()
    assert "usage statistics" not in log.read_text()


def answers(url: str, *, patience_s: float) -> bool:
    """Whether ``url`` says ok before patience ends."""
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url) as answer:
                return bool(answer.read() == b"ok")
        except OSError:
            time.sleep(0.2)
    return False
