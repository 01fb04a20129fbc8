"""What a user can repair is one line and exit status 2; a bug keeps its traceback."""

import os
import re

import pytest
from transformers import LlamaConfig

from lm2core.cli.main import main
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load
from lm2core.text.bpe import train_tokenizer
from lm2core.text.corpus import open_corpus
from lm2core.traces.trace import Trace

MODEL = "babi-qa1-3"
as_user = pytest.mark.skipif(os.geteuid() == 0, reason="root may write and read everywhere")


def one_line(capsys) -> str:
    """What stood on stderr, which is one line without a traceback."""
    said = capsys.readouterr().err
    assert said.startswith("lm2: ")
    assert said.count("\n") == 1
    return said


@pytest.fixture
def story(tmp_path) -> str:
    path = tmp_path / "story.txt"
    path.write_text("Mary went to the kitchen.\n")
    return str(path)


@pytest.mark.parametrize("bug", [KeyError, ValueError, OSError, AttributeError])
def test_a_bug_in_a_command_is_not_told_as_a_user_s_mistake(story, monkeypatch, bug):
    def broken(*_, **__):
        raise bug("typo")

    monkeypatch.setattr("lm2core.reading.answers.check_words", broken)
    with pytest.raises(bug, match="typo"):
        main(["ask", MODEL, "--story", story, "--question", "Where is Mary?"])


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        (["ask"], "Missing argument 'checkpoint'"),
        (["nonsense"], "No such command 'nonsense'"),
        (["train", "--out", "x", "--steps", "many"], "Invalid value for '--steps'"),
    ],
)
def test_a_command_typed_wrongly_is_one_line_and_status_2(typed, text, capsys):
    assert main(typed) == 2
    assert text in one_line(capsys)


def test_a_full_disk_while_a_result_is_written_leaves_nothing_half_written(
    story, tmp_path, capsys, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    out = tmp_path / "t.safetensors"
    out.write_bytes(b"as it was")
    monkeypatch.setattr("os.pwrite", full)
    before = sorted(tmp_path.iterdir())
    assert main(["trace", MODEL, "--story", story, "--out", str(out)]) == 2
    assert "t.safetensors: No space left on device; nothing was written" in one_line(capsys)
    assert (out.read_bytes(), sorted(tmp_path.iterdir())) == (b"as it was", before)


def test_parts_of_a_trace_that_cannot_be_moved_leave_none(tmp_path, capsys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    out = tmp_path / "traces"
    monkeypatch.setattr("pathlib.Path.rename", full)
    assert main(["trace", MODEL, "--task", "qa1", "--stories", "2", "--out", str(out)]) == 2
    assert "traces: No space left on device; choose another folder" in one_line(capsys)
    assert list(out.iterdir()) == []


LONG = "x" * 5000  # more than a name may have


@pytest.mark.parametrize(
    ("open_it", "text"),
    [
        (load, "cannot look for checkpoint x.*: File name too long; give a folder"),
        (Trace.load, "not a readable trace file .*File name too long"),
        (open_corpus, "cannot look for text at x{80}: File name too long"),
    ],
)
def test_a_name_that_no_file_can_have_is_refused(open_it, text):
    with pytest.raises(UserError, match=text):
        open_it(LONG)


@as_user
def test_a_folder_that_may_not_be_looked_into_is_told(tmp_path):
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with pytest.raises(UserError, match="Permission denied"):
        load(str(closed / "model"))


@pytest.mark.parametrize(
    ("llama", "text"),
    [
        ("none", "none: .* --llama takes a Llama"),
        ("config-alone", "config-alone: .*model.safetensors"),
    ],
)
def test_a_llama_that_is_not_there_or_not_whole_is_told(llama, text, tmp_path, capsys):
    (tmp_path / "config-alone").mkdir()
    LlamaConfig(vocab_size=300, hidden_size=64).save_pretrained(tmp_path / "config-alone")
    train_tokenizer(["Mary went to the kitchen."], vocab_size=300).save_pretrained(tmp_path / "words")
    (tmp_path / "text.txt").write_text("Mary went to the kitchen.\n" * 9000)
    places = {"--text": "text.txt", "--llama": llama, "--tokenizer": "words", "--out": "run"}
    options = [part for name, place in places.items() for part in (name, str(tmp_path / place))]
    assert main(["train", *options, "--memory-slots", "4"]) == 2
    assert re.search(f"cannot open {tmp_path}/{text}", one_line(capsys))
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_cannot_be_read_is_told_when_its_run_is_resumed(tmp_path, capsys):
    run = tmp_path / "run"
    (run / "checkpoint-1").mkdir(parents=True)
    (run / "checkpoint-1" / "curriculum.json").write_text("{}")
    for broken in ("{", "[]"):
        (run / "training.json").write_text(broken)
        assert main(["train", "--out", str(run), "--resume"]) == 2
        assert "training.json" in one_line(capsys)
