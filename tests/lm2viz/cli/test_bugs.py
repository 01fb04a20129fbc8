"""A bug inside an analysis shows its traceback on the command line, whatever it is raised as."""

import pytest

from lm2viz.cli.main import main


@pytest.mark.parametrize("bug", [KeyError, ValueError, TypeError])
def test_a_bug_in_probing_is_not_told_as_a_user_s_mistake(bug, monkeypatch, capsys):
    def broken(*_, **__):
        raise bug("typo")

    monkeypatch.setattr("lm2viz.probes.samples.fact_samples", broken)
    with pytest.raises(bug, match="typo"):
        main(["probe", "babi-qa1-3", "--stories", "2"])
    assert "lm2: " not in capsys.readouterr().err
