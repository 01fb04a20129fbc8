"""Several processes: one training, over gloo."""

import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from lm2core.cli.main import main
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load
from lm2core.text.corpus import open_corpus
from lm2core.text.packing import PackedText, Packer
from lm2core.training.text import train_text
from lm2core.training.text_recipe import share_out
from tests.conftest import ROOT, SIZES
from tests.lm2core.training.text import ranks
from tests.lm2core.training.text.runs import SHORT, lines, same_weights


def torchrun(*arguments: str) -> None:
    """Two processes on this machine's processor."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *arguments], env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


def in_two_processes(work: Callable[..., None], *arguments: object, **settings: str) -> None:
    """``work`` in the environment that torchrun gives; both are forked from a process that has torch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([ranks.__name__])
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)} | settings
    processes = [
        context.Process(
            target=ranks.work_as,
            args=(common | {"RANK": str(i), "LOCAL_RANK": str(i)}, work, *arguments),
            daemon=True,
        )
        for i in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0, 0]


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_doubled_batch(text, tmp_path):
    """The command itself, over gloo: the same blocks, the same losses, the same weights."""
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3", "--backprop-segments", "2"]
    torchrun("-m", "lm2core", *common, "--out", str(tmp_path / "two"), "--batch", "1", "--accumulate", "2")
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "4"]) == 0
    one, two = (tmp_path / name for name in ("one", "two"))
    assert json.loads((two / "training.json").read_text())["n_processes"] == 2
    for name in ("loss", "eval_loss", "num_input_tokens_seen"):
        assert lines(two, name) == pytest.approx(lines(one, name), rel=1e-5)
    a, b = (load_file(run / "model.safetensors") for run in (one, two))
    assert all(torch.allclose(a[name], b[name], rtol=1e-4, atol=1e-5) for name in a)


@pytest.mark.slow
def test_processes_skip_a_step_together(text, tmp_path):
    in_two_processes(ranks.train_with_one_bad_loss, text, tmp_path / "run")
    assert lines(tmp_path / "run", "n_skipped") == [0, 1, 1, 1, 1, 1]
    first, second = (torch.load(tmp_path / "run" / f"rank-{i}.pt", weights_only=True) for i in (0, 1))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.slow
def test_processes_share_the_stream_and_another_number_of_them_goes_on_with_it(text, straight, tmp_path):
    """No block twice, none left out; and two processes, one, then two again end where one always was."""
    out, recipe = tmp_path / "run", replace(SHORT, text=text, batch_size=2, keep_all=True)
    in_two_processes(ranks.train_and_tell, recipe, out, False)
    given = [json.loads((out / f"blocks-{rank}.json").read_text()) for rank in range(2)]
    packer = Packer(
        corpus=open_corpus(text),
        tokenizer=load(str(out)).tokenizer,
        block_length=recipe.n_segments * SIZES["segment_length"],
        held_out_every=recipe.held_out_every,
    )
    stream = iter(PackedText(packer, n_shuffle=recipe.n_shuffle, seed=recipe.seed))
    for step in range(recipe.n_steps):
        for blocks in given:
            of_step = blocks[2 * step : 2 * step + 2]
            assert of_step == [next(stream)["input_ids"].tolist() for _ in range(2)]
    _keep_checkpoints(out, up_to=2)
    train_text(recipe, out, resume=True)
    _keep_checkpoints(out, up_to=4)
    in_two_processes(ranks.train_and_tell, recipe, out, True)
    assert lines(out) == pytest.approx(lines(straight[0]), rel=1e-5)
    assert same_weights(load(str(out)).model, straight[1], rtol=1e-4, atol=1e-5)


def _keep_checkpoints(out: Path, *, up_to: int) -> None:
    for folder in out.glob("checkpoint-*"):
        if int(folder.name.split("-")[1]) > up_to:
            shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("batch_size", "accumulate", "n_before", "n_now", "becomes"),
    [
        (2, 1, 2, 1, (2, 2)),
        (4, 1, 1, 2, (2, 1)),
        (4, 8, 8, 2, (4, 32)),
        (3, 1, 4, 2, (3, 2)),
        (4, 1, 3, 2, (3, 2)),
    ],
)
def test_a_step_keeps_its_blocks_in_passes_no_larger(batch_size, accumulate, n_before, n_now, becomes):
    recipe = share_out(replace(SHORT, batch_size=batch_size, accumulate=accumulate), n_before, n_now)
    assert (recipe.batch_size, recipe.accumulate) == becomes


def test_processes_that_cannot_share_a_step_equally_are_refused():
    with pytest.raises(
        UserError, match="has 4 blocks, which 3 processes cannot share equally; .* 1 or 2 or 4"
    ):
        share_out(SHORT, 1, 3)


FSDP = {
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "LlamaMLP,LM2Attention",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
}


@pytest.mark.slow
def test_a_model_sharded_over_processes_is_trained_and_saved_as_a_whole_one(text, tmp_path):
    """FSDP, over gloo: each process holds half, and what is left has loss and weights of one process."""
    common = ["train", "--text", text, "--preset", "text-tiny", "--steps", "3"]
    sharded = [*common, "--out", str(tmp_path / "two"), "--batch", "1"]
    in_two_processes(ranks.run_sharded, sharded, **FSDP)
    assert main([*common, "--out", str(tmp_path / "one"), "--batch", "2"]) == 0
    held = [json.loads((tmp_path / "two" / f"bytes-{rank}.json").read_text()) for rank in range(2)]
    whole = held[0]["whole"]
    assert sum(each["held"] for each in held) == whole  # nothing is held twice
    assert [each["held"] / whole for each in held] == pytest.approx([0.5, 0.5], abs=0.01)
    assert lines(tmp_path / "two", "loss") == pytest.approx(lines(tmp_path / "one", "loss"), rel=1e-5)
    one, two = (load(str(tmp_path / name)).model for name in ("one", "two"))
    assert sum(p.nbytes for p in one.parameters()) == whole
    assert same_weights(one, two, rtol=1e-4, atol=1e-5)
