"""``lm2 eval --english``: stories in words that are never trained on, a row for each kind and length."""

import json

import pytest
from typer.testing import CliRunner

from lm2core.cli.main import app
from lm2core.reading.memory_weights import save_memory
from tests.small_llama import save_llama, small_tokenizer, with_memory


@pytest.fixture(scope="module")
def memory(tmp_path_factory):
    folder = tmp_path_factory.mktemp("memory")
    llama = save_llama(folder / "llama")
    save_memory(with_memory(llama), small_tokenizer(), folder / "memory", backbone=llama)
    return folder / "memory"


def test_each_kind_and_length_has_a_row_with_its_floors(memory, tmp_path):
    options = ["--english", "one-fact,yes-no", "--sentences", "2,5", "--questions", "3"]
    run = CliRunner().invoke(app, ["eval", str(memory), *options, "--json", str(tmp_path / "rows.json")])
    assert run.exit_code == 0, run.output
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [(row["task"], row["sentences"]) for row in rows] == [
        ("one-fact", 2),
        ("one-fact", 5),
        ("yes-no", 2),
        ("yes-no", 5),
    ]
    assert all(row["n"] == 3 and 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1 for row in rows)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--english", "three-facts"], "three-facts"),
        (["--english", "one-fact", "--sentences", "ten"], "--sentences 'ten' must be whole numbers"),
        (["--sentences", "4"], "--sentences needs --english"),
        (["--english", "one-fact", "--tasks", "qa1"], "cannot be combined with"),
    ],
)
def test_what_cannot_be_asked_for_is_one_clear_line(memory, options, says):
    run = CliRunner().invoke(app, ["eval", str(memory), *options])
    assert run.exit_code != 0
    assert says in str(run.exception)
