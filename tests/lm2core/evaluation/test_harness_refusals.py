"""What the harness cannot run is refused in one line."""

import sys
from pathlib import Path

import pytest
import torch

from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import make_model
from lm2core.evaluation.harness import run_harness
from lm2core.model.config import LM2Config
from lm2core.reading.loaded_model import LoadedModel
from lm2core.text.tokenizer import word_tokenizer
from tests.conftest import SIZES

pytest.importorskip("lm_eval", reason="pip install -e '.[harness]'")
datasets = pytest.importorskip("datasets")


from lm2core.evaluation.harness_model import HarnessModel  # noqa: E402
from tests.lm2core.evaluation.expected import (  # noqa: E402
    FOLDER,
    as_requests,
    make_lm,
    run,
)


def test_words_a_model_does_not_know_are_refused_before_anything_is_scored(only_own_tasks):
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    torch.manual_seed(0)
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    model.register_forward_hook(lambda *_: pytest.fail("something was scored"))
    with pytest.raises(ValueError, match="tiny cannot read this task: unknown words: took, milk") as error:
        run(LoadedModel("tiny", model, tokenizer), ["lm2_where_choice"])
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_a_whole_text_needs_a_token_to_begin_with():
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    with pytest.raises(ValueError, match="no token that begins a text"):
        HarnessModel(LoadedModel("tiny", model, tokenizer)).loglikelihood_rolling(
            as_requests("loglikelihood_rolling", [("Mary went to the kitchen.",)])
        )


def test_a_choice_without_a_token_of_its_own_is_refused():
    tokenizer = word_tokenizer(babi_words(("qa1",)))
    model = make_model(LM2Config(**(SIZES | {"vocab_size": len(tokenizer)})), "lm2").eval()
    with pytest.raises(ValueError, match="'  ' has no token of its own after 'Where is Mary\\?'"):
        HarnessModel(LoadedModel("tiny", model, tokenizer)).loglikelihood(
            as_requests("loglikelihood", [("Where is Mary?", "  ")])
        )


def test_a_task_that_draws_tokens_at_random_is_refused():
    request = as_requests("generate_until", [("Where?", {"do_sample": True, "temperature": 0.8})])
    with pytest.raises(ValueError, match="task task samples tokens"):
        HarnessModel(make_lm()).generate_until(request)


def test_a_missing_harness_is_said_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval", None)
    with pytest.raises(ValueError, match=r"not installed; in the checkout: pip install -e '\.\[harness\]'"):
        run_harness(make_lm(), ["mmlu"])


def test_an_unknown_task_is_refused_with_near_names_of_those_the_harness_has(monkeypatch):
    """Of one folder of its tasks: reading all 14,000 files takes long."""
    tasks = pytest.importorskip("lm_eval.tasks")
    folder = Path(tasks.__file__).parent / "mmlu"

    def of_one_folder(include_path, metadata, *, include_defaults=True):
        assert include_defaults
        return tasks_of(include_path=folder, metadata=metadata, include_defaults=False)

    tasks_of = tasks.TaskManager
    monkeypatch.setattr(tasks, "TaskManager", of_one_folder)
    with pytest.raises(ValueError, match="no task 'mmlu_anatmy'; nearest: mmlu_anatomy"):
        run_harness(make_lm(), ["mmlu_anatmy"])


def test_data_that_cannot_be_fetched_is_said_with_the_way_out(only_own_tasks, monkeypatch):
    def refuse(*_, **__):
        raise ConnectionError("Couldn't reach 'cais/mmlu' on the Hub\nmore")

    monkeypatch.setattr(datasets, "load_dataset", refuse)
    with pytest.raises(
        ValueError, match="Couldn't reach .* on the Hub; fetch it once .*--harness-tasks-folder"
    ):
        run(make_lm(), ["lm2_where_choice"])


def test_a_task_that_needs_another_package_names_it(only_own_tasks, tmp_path):
    (tmp_path / "data.py").write_text("import no_such_package\n")
    (tmp_path / "task.yaml").write_text("task: own\ncustom_dataset: !function data.load\n")
    with pytest.raises(ValueError, match="task own needs a package .*no_such_package"):
        run_harness(make_lm(), ["own"], include_path=tmp_path)


@pytest.mark.parametrize(
    ("tasks", "options", "text"),
    [
        ([" "], {}, "no task given; give comma-separated names"),
        (["lm2_where_chioce"], {}, "nearest: lm2_where_choice"),
        (["lm2_where"], {"include_path": FOLDER / "where.yaml"}, "where.yaml is not a folder"),
        (["lm2_where"], {"limit": 0}, "limit=0 must be at least 1"),
        (["lm2_where"], {"batch_size": 0}, "batch_size=0 must be at least 1"),
        (["lm2_where"], {"n_shot": -1}, "n_shot=-1 must be at least 0"),
    ],
)
def test_what_cannot_be_run_is_refused(tasks, options, text, only_own_tasks):
    with pytest.raises(ValueError, match=text):
        run_harness(make_lm(), tasks, **({"include_path": FOLDER} | options))
