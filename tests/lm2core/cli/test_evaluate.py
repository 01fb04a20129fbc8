"""``lm2 eval`` on long texts, as a user types it."""

import json
import re

import pytest
import torch

from lm2core.babi.vocabulary import WORDS, babi_words
from lm2core.babilong.background_text import open_noise
from lm2core.baselines.architectures import make_model
from lm2core.cli.main import main
from lm2core.model.config import LM2Config
from lm2core.text.bpe import train_tokenizer
from lm2core.text.tokenizer import subword_tokenizer
from tests.conftest import SIZES

SHIPPED = "babi-qa1-3"
LONG = ["--tasks", "qa1", "--lengths", "1k"]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory) -> str:
    """An untrained model that knows words of the noise."""
    folder = tmp_path_factory.mktemp("untrained")
    tokenizer = subword_tokenizer(babi_words(WORDS), open_noise(split="test").sentences, vocab_size=900)
    torch.manual_seed(0)
    make_model(LM2Config(**SIZES | {"vocab_size": len(tokenizer)}), "lm2").save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def run(*arguments: str, out) -> list[dict]:
    assert main(["eval", *arguments, "--json", str(out)]) == 0
    return json.loads(out.read_text())


def test_at_0k_a_model_of_stories_is_as_right_as_on_stories(tmp_path, capsys):
    """The shipped model has 100 % on the published qa1; majority and last place are far below."""
    (row,) = run(SHIPPED, "--tasks", "qa1", "--lengths", "0k", "--samples", "60", out=tmp_path / "e.json")
    assert (row["task"], row["length"], row["n"], row["model"]) == ("qa1", "0k", 60, SHIPPED)
    assert row["accuracy"] == row["label_set"] == row["label_words"] == 1
    assert row["low"] < 1 == row["high"]
    assert row["majority"] < 0.4
    assert row["last_mentioned"] < 0.9
    assert row["tokenizer"] == SHIPPED
    statement = capsys.readouterr().out
    assert f"lengths in tokens of the tokenizer of {SHIPPED}" in statement
    assert "100.0%" in statement
    assert f"{row['last_mentioned']:.1%}" in statement


def test_tasks_and_lengths_are_a_row_each_and_what_was_asked_is_told(untrained, tmp_path, capsys):
    options = [
        "--tasks",
        "qa1,qa4",
        "--lengths",
        "0k, 1k",
        "--samples",
        "3",
        "--seed",
        "2",
        "--question-first",
    ]
    rows = run(untrained, *options, "--segments", "tokens", out=tmp_path / "e.json")
    assert [(r["task"], r["length"], r["n"]) for r in rows] == [
        ("qa1", "0k", 3), ("qa1", "1k", 3), ("qa4", "0k", 3), ("qa4", "1k", 3)
    ]  # fmt: skip
    expected = {"segments": "tokens", "question_first": True, "seed": 2, "noise": "python", "n_left_out": 0}
    assert all(expected.items() <= row.items() for row in rows)
    assert re.search(r"noise: test share of python, [\d,]+ sentences, [\d,]+ tokens", capsys.readouterr().out)


def test_noise_and_counting_tokenizer_are_the_user_s_to_choose(untrained, tmp_path, capsys):
    texts = [f"Line {i} has a dozen words or so and it ends here." for i in range(200)]
    (tmp_path / "noise.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts))
    letters = train_tokenizer(["a"], vocab_size=257)  # each letter is a token
    letters.save_pretrained(tmp_path / "letters")
    chosen = {"noise": str(tmp_path / "noise.jsonl"), "tokenizer": str(tmp_path / "letters")}
    options = ["--samples", "2", "--noise", chosen["noise"], "--tokenizer", chosen["tokenizer"]]
    (row,) = run(untrained, *LONG, *options, out=tmp_path / "e.json")
    assert chosen.items() <= row.items()
    statement = capsys.readouterr().out
    assert f"lengths in tokens of the tokenizer of {tmp_path / 'letters'}" in statement
    n_sentences, n_letters = re.search(r"noise.jsonl, (\d+) sentences, ([\d,]+) tokens", statement).groups()
    assert int(n_letters.replace(",", "")) / int(n_sentences) == pytest.approx(len(texts[50]), abs=1)


def test_a_published_data_set_is_read_from_a_folder(tmp_path, capsys):
    (tmp_path / "0k").mkdir()
    row = {"input": "Mary went to the office. John moved to the garden.", "question": "Where is Mary? "}
    (tmp_path / "0k" / "qa1.jsonl").write_text(json.dumps(row | {"target": "office"}))
    options = ["--tasks", "qa1", "--lengths", "0k", "--data", str(tmp_path)]
    (row,) = run(SHIPPED, *options, out=tmp_path / "e.json")
    assert (row["n"], row["accuracy"], row["last_mentioned"]) == (1, 1, 1)  # only "office" is an answer here
    assert row["data"] == str(tmp_path)
    assert "noise" not in row


def test_a_published_cell_that_is_missing_is_found_before_anything_is_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        "lm2core.evaluation.long_texts.predict_long", lambda *_, **__: pytest.fail("a model was asked")
    )
    (tmp_path / "0k").mkdir()
    row = {"input": "Mary went to the office.", "question": "Where is Mary?", "target": "office"}
    (tmp_path / "0k" / "qa1.jsonl").write_text(json.dumps(row))
    assert main(["eval", SHIPPED, "--tasks", "qa1,qa2", "--lengths", "0k", "--data", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert re.search("cannot read qa2 at 0k from .*; or give a folder with LENGTH/TASK.json", line)


@pytest.mark.parametrize("form", [LONG, ["--babi", "{tmp}/one.txt"], ["--harness", "mmlu"]])
@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("{tmp}/none/e.json", "there is no folder .*none; make it first"),
        ("{tmp}", "it is a folder; name a file"),
    ],
)
def test_figures_that_cannot_be_written_are_refused_before_the_model_is_opened(
    form, place, text, tmp_path, capsys
):
    (tmp_path / "one.txt").write_text("1 Mary went to the office.\n2 Where is Mary? \toffice\t1\n")
    filled = [part.replace("{tmp}", str(tmp_path)) for part in [*form, "--json", place]]
    assert main(["eval", SHIPPED, *filled]) == 2
    statement = capsys.readouterr()
    assert re.fullmatch(f"lm2: cannot write .*: {text}", statement.err.strip())
    assert statement.out == ""


def test_lengths_may_be_counted_by_a_tokenizer_without_end_of_text(untrained, tmp_path):
    """As a story model's own is, and BERT's."""
    options = ["--samples", "2", "--tokenizer", untrained]
    (row,) = run(untrained, *LONG, *options, out=tmp_path / "e.json")
    assert (row["n"], row["tokenizer"]) == (2, untrained)


def test_stories_that_do_not_fit_are_told(untrained, capsys):
    assert main(["eval", untrained, "--tasks", "qa3", "--lengths", "1k", "--samples", "12"]) == 0
    assert re.search(r"skipped because they did not fit: qa3 1k: \d", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "nothing to evaluate on; give --babi FILE..., --english one-fact, --tasks qa1,qa2 with"),
        (["--tasks", "qa1"], "--tasks needs --lengths; give --babi FILE..., --english one-fact, --tasks"),
        (["--samples", "9"], "--samples needs --tasks and --lengths; give"),
        (["--harness-shots", "0"], "--harness-shots needs --harness; give"),
        (["--harness", "mmlu", "--babi", "x.txt"], "--harness cannot be combined with --babi; give"),
        (
            ["more.txt", *LONG],
            "unexpected more.txt: paths follow --babi, tasks are separated by commas; give",
        ),
        (
            ["--harness", "mmlu", "babilong_qa1"],
            "unexpected babilong_qa1: paths follow --babi, tasks are",
        ),
        (
            ["--babi", "x.txt", *LONG, "--question-first"],
            "--babi cannot be combined with --tasks, --lengths, --question",
        ),
        (["--tasks", "qa99", "--lengths", "0k"], "unknown task 'qa99'; known: qa1, qa2"),
        (["--tasks", "qa1", "--lengths", "4"], "length '4' is not a number with k or M; give e.g. 0k"),
        (["--tasks", "qa1", "--lengths", "0k,"], "length '' is not a number"),
        ([*LONG, "--samples", "0"], "--samples': Input should be greater than or equal to 1"),
        ([*LONG, "--segments", "words"], "--segments 'words' must be one of: sentences, tokens"),
        ([*LONG, "--noise", "nowhere.txt"], "no text at 'nowhere.txt'; give a file"),
        (
            ["--tasks", "qa1", "--lengths", "1M"],
            "noise is too short: a sample needs 999,.* python .* give more",
        ),
        (LONG, "does not know .* of the background text of qa1 at 1k, .* use length 0k"),
        (
            [*LONG, "--tokenizer", "{tmp}"],
            "cannot open tokenizer .*; give a folder or .* id, or omit it to count with the model",
        ),
        (
            [*LONG, "--data", "x/y", "--seed", "1"],
            "--seed cannot be combined with --data, whose texts",
        ),
        ([*LONG, "--data", "{tmp}"], "cannot read qa1 at 1k from .*; or give a folder with LENGTH/TASK.json"),
        (["--tasks", "qa5", "--lengths", "0k"], "unknown words: .*this model knows"),
    ],
)
def test_a_user_s_mistake_is_one_line_and_status_2(arguments, text, tmp_path, capsys):
    filled = [part.replace("{tmp}", str(tmp_path)) for part in arguments]
    assert main(["eval", SHIPPED, *filled]) == 2
    *_, line = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("lm2: ")
    assert re.search(text, line)


def test_a_hub_that_cannot_be_reached_is_one_line(monkeypatch, capsys):
    import datasets

    def offline(*_, **__):
        raise ConnectionError("Couldn't reach 'RMT-team/babilong' on the Hub")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    assert main(["eval", SHIPPED, *LONG, "--data", "RMT-team/babilong"]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "Couldn't reach" in line
    assert "or give a folder with LENGTH/TASK.json" in line
