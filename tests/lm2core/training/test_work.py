"""The work of a training step, from the recipe and the config."""

from dataclasses import replace

import pytest

from lm2core.model.config import base, lm2_1_7b
from lm2core.model.work import token_work
from lm2core.training.text_recipe import TEXT_PRESETS
from lm2core.training.work import step_work

PAPER, CONFIG = TEXT_PRESETS["lm2-1.7b"], lm2_1_7b()


def test_a_step_is_three_passes_of_its_tokens():
    work = step_work(PAPER, CONFIG)
    assert work.n_tokens == 4 * 2048
    token = token_work(CONFIG, 2048)
    assert work.model_flops == 3 * 2 * token.total * work.n_tokens
    assert work.memory_share == token.memory / token.total


def test_work_that_is_done_twice_is_the_blocks_with_checkpointing_and_the_head_in_chunks():
    token, n = token_work(CONFIG, 2048), 4 * 2048
    twice = step_work(PAPER, CONFIG)
    assert twice.done_flops - twice.model_flops == pytest.approx(2 * token.total * n)
    once = step_work(replace(PAPER, checkpointing=False), CONFIG)
    assert once.done_flops - once.model_flops == pytest.approx(2 * token.head * n)
    small = step_work(replace(PAPER, checkpointing=False), lm2_1_7b(vocab_size=512))
    assert small.done_flops == small.model_flops  # all logits fit one chunk
    assert once.bytes < twice.bytes


def test_passes_of_a_step_add_up_and_share_the_optimizer():
    recipe, config = TEXT_PRESETS["base"], base()
    one, two = (step_work(replace(recipe, accumulate=n), config) for n in (1, 2))
    assert two.n_tokens == 2 * one.n_tokens
    assert two.model_flops == 2 * one.model_flops
    assert one.bytes < two.bytes < 2 * one.bytes


def test_compiled_segments_move_fewer_bytes():
    assert step_work(PAPER, CONFIG).bytes < step_work(replace(PAPER, compile=False), CONFIG).bytes
