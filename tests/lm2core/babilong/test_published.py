"""The published data sets: a folder in their form, and what is said when there is none."""

import json

import datasets
import pytest

from lm2core.babilong.published import Sentences, check_published, read_published

TEXT = 'It was a dark night. "Who," said Mr. Smith, "is it?" Mary went to the office. "No!" he cr'
ROWS = [
    {"input": TEXT, "question": "Where is Mary? ", "target": "office"},
    {"input": "John went to the kitchen.", "question": "Where is John? ", "target": "kitchen"},
]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "4k").mkdir()
    (tmp_path / "4k" / "qa1.json").write_text(json.dumps(ROWS))
    (tmp_path / "4k" / "qa2.jsonl").write_text("\n".join(map(json.dumps, ROWS)))
    datasets.Dataset.from_list(ROWS).to_parquet(tmp_path / "4k" / "qa3.parquet")
    return tmp_path


@pytest.mark.parametrize("task", ["qa1", "qa2", "qa3"])
def test_a_folder_is_read_in_each_of_its_forms(folder, task):
    first, second = read_published(str(folder), task=task, length="4k", n=9)
    assert (first.task, first.length, first.question, first.answer) == (
        task,
        "4k",
        "Where is Mary?",
        "office",
    )
    assert [piece.text for piece in second.pieces] == ["John went to the kitchen."]
    assert (second.facts, second.n_tokens) == ((), None)
    assert len(read_published(str(folder), task=task, length="4k", n=1)) == 1


def test_a_fact_stands_alone_and_no_word_is_lost():
    texts = [piece.text for piece in Sentences(TEXT + "  ")]
    assert "Mary went to the office." in texts
    assert " ".join(texts) == TEXT
    assert texts[-2:] == ['"No!"', "he cr"]


def test_the_hub_is_asked_by_length_and_task(monkeypatch):
    questions = []

    def load(*names, **options):
        questions.append((names, options))
        return iter(ROWS)

    monkeypatch.setattr(datasets, "load_dataset", load)
    read_published("RMT-team/babilong", task="qa1", length="128k", n=2)
    assert questions == [(("RMT-team/babilong", "128k"), {"split": "qa1", "streaming": True})]


def test_a_hub_that_cannot_be_reached_is_one_line_that_names_the_local_way(monkeypatch):
    def offline(*_, **__):
        raise ConnectionError("Couldn't reach 'RMT-team/babilong' on the Hub\nand more")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(ValueError, match="Couldn't reach .* give a folder with LENGTH/TASK.json") as expected:
        read_published("RMT-team/babilong", task="qa1", length="4k", n=2)
    assert "\n" not in str(expected.value)


def test_what_is_there_is_known_without_reading_a_row(folder):
    for task in ("qa1", "qa2", "qa3"):
        check_published(str(folder), task=task, length="4k")
    (folder / "4k" / "qa4.json").write_text("not read")
    check_published(str(folder), task="qa4", length="4k")
    with pytest.raises(ValueError, match="cannot read qa1 at 8k from .*; or give a folder with LENGTH/TASK"):
        check_published(str(folder), task="qa1", length="8k")
    with pytest.raises(ValueError, match="length '4' is not a number"):
        check_published(str(folder), task="qa1", length="4")


def test_what_is_not_there_or_has_other_fields_is_said(folder):
    with pytest.raises(ValueError, match="cannot read qa5 at 4k from .*; or give a folder with LENGTH/TASK"):
        read_published(str(folder), task="qa5", length="4k", n=2)
    (folder / "4k" / "qa5.jsonl").write_text('{"text": "x", "target": "y"}\n')
    with pytest.raises(
        ValueError, match="qa5 at 4k: a row needs the texts input, question and target, but has: "
    ):
        read_published(str(folder), task="qa5", length="4k", n=2)
    with pytest.raises(ValueError, match="length '4' is not a number"):
        read_published(str(folder), task="qa1", length="4", n=2)
