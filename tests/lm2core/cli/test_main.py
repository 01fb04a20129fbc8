"""The ``lm2`` command as a user types it: exit status, one-line errors, quick help."""

import json
import os
import re
import subprocess
import sys
from pydoc_data.topics import topics

import pytest

from lm2core.babi.text import read_babi
from lm2core.cli.main import main
from lm2core.model.config import lm2_1_7b
from lm2core.reading.answers import memory_after, ranked_words
from lm2core.reading.checkpoints import load
from lm2core.reading.memory_weights import save_memory
from lm2core.traces.trace import Trace
from lm2core.training.text_recipe import TEXT_PRESETS
from lm2core.training.work import step_work
from tests.small_llama import save_llama, small_tokenizer, with_memory

MODEL = "babi-qa1-3"
TEXT = "\n".join(topics[name] for name in sorted(topics)[:8])


@pytest.fixture
def story(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text("Mary went to the kitchen.\nJohn moved to the office.\n")
    return str(path)


def test_help_answers_in_under_a_second_without_torch():
    code = "import sys; from lm2core.cli.main import main; main(['--help']); print('torch' in sys.modules)"
    before = os.times().children_user
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert os.times().children_user - before < 1  # of the processor: other work must not fail this
    assert out.stdout.rstrip().endswith("False")
    assert "train" in out.stdout


def test_ask_answers_from_the_story(story, capsys):
    assert main(["ask", MODEL, "--story", story, "--question", "Where is Mary?"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "kitchen"


def test_trace_writes_a_trace_of_the_named_hooks(story, tmp_path, capsys):
    out = tmp_path / "t.safetensors"
    assert main(["trace", MODEL, "--story", story, "--out", str(out), "--hooks", "mem.hook_write"]) == 0
    trace = Trace.load(out)
    assert set(trace.arrays) == {f"blocks.{b}.mem.hook_write" for b in range(4)}
    assert "4 arrays over 2 sentences" in capsys.readouterr().out


def test_babi_writes_the_stories_asked_for(tmp_path):
    assert main(["babi", "--task", "qa2", "--stories", "3", "--seed", "7", "--out", str(tmp_path)]) == 0
    assert len(read_babi(tmp_path / "qa2_generated.txt")) == 3


def test_eval_writes_the_figures_as_json(tmp_path, capsys):
    main(["babi", "--task", "qa1", "--stories", "4", "--out", str(tmp_path)])
    file, out = tmp_path / "qa1_generated.txt", tmp_path / "e.json"
    assert main(["eval", MODEL, "--babi", str(file), "--json", str(out)]) == 0
    (row,) = json.loads(out.read_text())
    assert (row["task"], row["file"], row["n"], row["model"]) == ("qa1", str(file), 20, MODEL)
    assert 0 <= row["low"] <= row["accuracy"] <= row["high"] <= 1
    assert f"{row['accuracy']:.1%}" in capsys.readouterr().out


def test_eval_takes_several_files_after_one_option(tmp_path, capsys):
    for task in ("qa1", "qa2"):
        main(["babi", "--task", task, "--stories", "2", "--out", str(tmp_path)])
    files = [str(tmp_path / f"{task}_generated.txt") for task in ("qa1", "qa2")]
    assert main(["eval", MODEL, "--babi", *files, "--json", str(tmp_path / "e.json")]) == 0
    assert [row["file"] for row in json.loads((tmp_path / "e.json").read_text())] == files


def test_train_on_a_text_says_what_held_out_text_costs(tmp_path, capsys):
    """The command's options reach the recipe; what it leaves is whole."""
    (tmp_path / "text.md").write_text(TEXT)
    out = tmp_path / "run"
    options = ["--batch", "1", "--accumulate", "2", "--backprop-segments", "2", "--steps", "2", "--seed", "3"]
    options += ["--bf16", "--checkpointing", "--learning-rate", "0.01"]
    assert main(["train", "--text", str(tmp_path / "text.md"), "--out", str(out), *options]) == 0
    recipe = json.loads((out / "training.json").read_text())
    assert recipe["model"] == "text-tiny"
    given = {"batch_size": 1, "accumulate": 2, "backprop_segments": 2, "n_steps": 2, "seed": 3}
    given |= {"bf16": True, "checkpointing": True, "learning_rate": 0.01, "compile": False}
    assert {name: recipe[name] for name in given} == given
    printed = re.search(r"trained: .*; held-out loss ([\d.]+) nats, perplexity", capsys.readouterr().out)
    last = json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])
    assert float(printed[1]) == pytest.approx(last["eval_loss"], abs=1e-3)
    assert (out / "model.safetensors").is_file()


def test_no_command_is_the_help(capsys):
    assert main([]) == 0
    assert "Usage" in capsys.readouterr().out


def test_models_lists_what_ships(capsys):
    assert main(["models"]) == 0
    assert f"{MODEL}: 4 blocks, width 64, 24 slots" in capsys.readouterr().out


def test_models_gives_the_paper_s_count_beside_its_own_and_the_work_on_request(capsys):
    assert main(["models"]) == 0
    (row,) = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("lm2-1.7b"))
    assert " ".join(row).startswith("lm2-1.7b 16 x 2048 2048 1.24 + 0.47 B 1.2 + 0.5 B 3.4 GB 27.3 GB")
    assert main(["models", "--flops"]) == 0
    _, row = (line.split() for line in capsys.readouterr().out.splitlines() if line.startswith("lm2-1.7b"))
    work = step_work(TEXT_PRESETS["lm2-1.7b"], lm2_1_7b())
    assert row[1:3] == ["8,192", f"{work.model_flops / 1e12:.1f}"]
    assert row[3] == f"{work.memory_share:.0%}"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["train"], "Missing option '--out'"),
        (["train", "--out", "{tmp}/r", "--tasks", "qa99"], "unknown task 'qa99'; known: qa1, qa2, qa3"),
        (["train", "--out", "{tmp}/r", "--preset", "huge"], "unknown preset 'huge'; known: babi-tiny"),
        (["train", "--out", "{tmp}/r", "--resume"], "nothing to resume: .* has no complete checkpoint"),
        (
            ["train", "--out", "{tmp}/r", "--stage-steps", "9,x"],
            "--stage-steps '9,x' must be comma-",
        ),
        (
            ["train", "--out", "{tmp}/r", "--stage-steps", "9"],
            "stage_steps=9 does not fit . stages; give a number",
        ),
        (
            ["train", "--out", "{tmp}/r", "--preset", "base"],
            "preset 'base' trains on text; add --text",
        ),
        (
            ["train", "--out", "{tmp}/r", "--bf16", "--batch", "2", "--backprop-segments", "1"],
            "stories and has no --batch, --backprop-segments, --bf16; omit it, or train on text",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/story.txt", "--tasks", "qa1"],
            "preset 'text-tiny' trains on text and has no --tasks; omit it",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/story.txt", "--preset", "babi-tiny"],
            "preset 'babi-tiny' trains on stories and has no --text",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/none.txt"],
            "no text at .*none.txt'; give a file, or a",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/story.txt"],
            "too little text: 0 tokens for training",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/story.txt", "--tokenizer", "{tmp}"],
            "cannot open tokenizer .*; give a folder, or omit it to train one",
        ),
        (
            ["train", "--out", "{tmp}/r", "--text", "{tmp}/story.txt", "--accumulate", "0"],
            "--accumulate': Input should be greater than or equal to 1",
        ),
        (
            ["train", "--out", "{tmp}/r", "--steps", "0"],
            "--steps': Input should be greater than or equal to 1",
        ),
        (["babi", "--task", "qa0", "--out", "{tmp}"], "unknown task 'qa0'"),
        (["babi", "--task", "qa1", "--out", "{tmp}/story.txt/x"], "cannot make folder"),
        (["eval", "nope", "--babi", "{tmp}/none.txt"], "cannot read .*none.txt: No such file"),
        (["eval", MODEL, "--babi", "{tmp}/story.txt"], "story.txt, line 1: expected 'NUMBER text'"),
        (["ask", "nope", "--story", "{tmp}/story.txt", "--question", "x"], "no checkpoint 'nope'"),
        (["ask", MODEL, "--story", "{tmp}/story.txt", "--question", "Where is Zoe?"], "unknown words: Zoe"),
        (["trace", MODEL, "--story", "{tmp}/story.txt", "--out", "{tmp}/a/b"], "cannot write"),
        (
            ["trace", MODEL, "--story", "{tmp}/story.txt", "--out", "{tmp}/b", "--hooks", "mm"],
            "no hook point 'mm'",
        ),
        (
            ["trace", MODEL, "--story", "{tmp}/story.txt", "--out", "{tmp}/b", "--budget", "1KB"],
            "the budget is 1KB",
        ),
        (["trace", MODEL, "--story", "{tmp}/story.txt", "--out", "{tmp}"], "it is a folder; name a file"),
        (["fly"], "No such command 'fly'"),
    ],
)
def test_a_user_s_mistake_is_one_line_and_status_2(arguments, text, story, tmp_path, capsys):
    filled = [part.replace("{tmp}", str(tmp_path)) for part in arguments]
    assert main(filled) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("lm2: ")
    assert re.search(text, line)
    assert not (tmp_path / "b").exists()


def test_babi_does_not_write_over_a_file_that_is_there(tmp_path, capsys):
    command = ["babi", "--task", "qa1", "--stories", "2", "--out", str(tmp_path)]
    assert main(command) == 0
    before = (tmp_path / "qa1_generated.txt").read_bytes()
    assert main([*command, "--seed", "1"]) == 2
    assert "qa1_generated.txt already exists; choose another folder, or delete" in capsys.readouterr().err
    assert (tmp_path / "qa1_generated.txt").read_bytes() == before


@pytest.mark.parametrize("module", ["lm2core", "lm2viz", "lm2viz.cli"])
def test_every_package_with_a_command_starts_as_a_module(module):
    out = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True)
    assert "Usage" in out.stdout
    assert ("probe" in out.stdout) == module.startswith("lm2viz")


def test_ask_reads_a_story_from_standard_input(story, capsys, monkeypatch):
    with open(story, encoding="utf-8") as text:
        monkeypatch.setattr("sys.stdin", text)
        assert main(["ask", MODEL, "--story", "-", "--question", "Where is Mary?"]) == 0
    assert capsys.readouterr().out.splitlines()[0] == "kitchen"


def test_an_empty_standard_input_is_refused(capsys, monkeypatch):
    with open(os.devnull, encoding="utf-8") as text:
        monkeypatch.setattr("sys.stdin", text)
        assert main(["ask", MODEL, "--story", "-", "--question", "Where is Mary?"]) == 2
    assert "standard input: the story is empty; write one sentence per line" in capsys.readouterr().err


def test_ask_gives_the_whole_word_of_a_language_model_and_refuses_a_question_without_an_opening(
    story, tmp_path, capsys
):
    llama = save_llama(tmp_path / "llama")
    save_memory(with_memory(llama), small_tokenizer(), tmp_path / "memory", backbone=llama)
    asked = ["ask", str(tmp_path / "memory"), "--story", story, "--question"]
    assert main([*asked, "Where is the violin?"]) == 0
    printed = capsys.readouterr().out
    lm = load(tmp_path / "memory")
    sentences = ("Mary went to the kitchen.", "John moved to the office.")
    best = ranked_words(lm, "Where is the violin? The violin is in the", memory_after(lm, sentences))
    assert printed.splitlines()[0] == best[0][0]
    assert printed.splitlines()[2] == f"  {best[1][1]:6.1%}  {best[1][0]}"
    assert "Ġ" not in printed
    assert main([*asked, "Why is the violin?"]) == 2
    assert "no beginning of an answer to 'Why is the violin?' is known" in capsys.readouterr().err
