"""What an operator sets is checked before the app's server starts, and listed by its help."""

import re
import runpy
import sys

import pytest

from lm2core.errors import UserError
from lm2viz.cli.app_settings import NAMES, read_settings
from lm2viz.cli.main import main


def test_without_settings_everything_is_allowed_and_empty_ones_are_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    settings = read_settings(dict.fromkeys(NAMES, " "))
    assert settings == read_settings({})
    assert (settings.can_train, settings.can_type_paths, settings.token) == (True, True, None)
    assert (settings.max_runs, settings.max_bytes) == (None, None)
    assert (settings.checkpoints, settings.runs) == (tmp_path, tmp_path / ".lm2" / "runs")


def test_each_setting_is_read_from_its_own_variable(tmp_path):
    given = {"LM2_TRAINING": "off", "LM2_PATHS": "On", "LM2_MAX_RUNS": "20", "LM2_MAX_BYTES": "1.5 GB"}
    given |= {"LM2_TOKEN": "twelve chars", "LM2_CHECKPOINTS": str(tmp_path), "LM2_RUNS": f"{tmp_path}/runs"}
    settings = read_settings(given)
    assert (settings.can_train, settings.can_type_paths) == (False, True)
    assert (settings.max_runs, settings.max_bytes, settings.token) == (20, 1_500_000_000, "twelve chars")
    assert (settings.checkpoints, settings.runs) == (tmp_path, tmp_path / "runs")
    assert not read_settings(given | {"LM2_PATHS": "OFF"}).can_type_paths


BAD = {
    "LM2_TRAINING": ("no", "LM2_TRAINING=no is neither on nor off; give one of these"),
    "LM2_PATHS": ("0", "LM2_PATHS=0 is neither on nor off"),
    "LM2_MAX_RUNS": ("0", "LM2_MAX_RUNS=0 is not a number from 1; to allow no run, set LM2_TRAINING=off"),
    "LM2_MAX_BYTES": ("2", "LM2_MAX_BYTES=2 is not a size; write a number and KB, MB or GB, e.g. 2GB"),
    "LM2_TOKEN": ("secret", "LM2_TOKEN has 6 characters; give at least 12"),
    "LM2_CHECKPOINTS": (__file__, "is not a folder; give one that exists"),
    "LM2_RUNS": (__file__, "is a file; give a folder, which is made when needed"),
    "LM2_TRAINIG": ("off", f"LM2_TRAINIG is not a setting of the app; the settings are {', '.join(NAMES)}"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_setting_stops_the_app_before_its_server_in_one_line(name, monkeypatch, capsys):
    value, message = BAD[name]
    monkeypatch.setenv(name, value)
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: pytest.fail("the server was started"))
    assert main(["app"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert message in error
    assert value != "secret" or value not in error


@pytest.mark.parametrize("value", ["-1", "1.5", "many", "²"])
def test_a_number_of_runs_is_a_whole_number(value):
    with pytest.raises(UserError, match="is not a number from 1"):
        read_settings({"LM2_MAX_RUNS": value})


def test_good_settings_start_the_app(tmp_path, monkeypatch):
    started = []
    monkeypatch.setenv("LM2_CHECKPOINTS", str(tmp_path))
    monkeypatch.setenv("LM2_RUNS", str(tmp_path / "none yet"))
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "not the app's, but the package's"))
    monkeypatch.setattr(sys, "argv", ["lm2"])
    monkeypatch.setattr(runpy, "run_module", lambda name, **_: started.append((name, sys.argv[-1])))
    assert main(["app", "--port", "8600"]) == 0
    assert started == [("streamlit", "--server.port=8600")]


def test_the_help_of_the_app_lists_every_setting(capsys):
    main(["app", "--help"])
    assert re.findall(r"(LM2_\w+)=", capsys.readouterr().out) == list(NAMES)
