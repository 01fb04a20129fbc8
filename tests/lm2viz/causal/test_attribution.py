"""Contributions to logits add up, and belong to the slots that hold the answer."""

from random import Random

import numpy as np
import pytest
import torch

from lm2core.babi.tasks import make_story
from lm2core.model.attention import attention_pattern, split_heads
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.reading.checkpoints import load
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.causal.attribution import FRESH, MEMORY, OTHER, STORY_BANK, TOTAL, _attributed, attribute_answers
from lm2viz.causal.questions import compared_words, other_banks
from lm2viz.causal.running import question_texts, run
from tests.handmade import MEMORY_BLOCK, SLOT_OF, handmade_lm, handmade_stories

LM = handmade_lm()


def about(person, n=30):
    stories = handmade_stories(150)
    return [story for story in stories if person in story.questions[0].text][:n]


@pytest.fixture(scope="module")
def odd_lm():
    """A model nobody trained, with few slots read at a time and blocks without memory."""
    tokenizer = load("babi-qa1-3").tokenizer
    torch.manual_seed(3)
    config = LM2Config(
        vocab_size=len(tokenizer),
        hidden_size=24,
        intermediate_size=30,
        num_hidden_layers=3,
        num_attention_heads=2,
        memory_heads=4,
        memory_slots=7,
        memory_layers=[0, 2],
        memory_top_k=3,
        tie_word_embeddings=True,
    )
    model = LM2ForCausalLM(config).eval()
    torch.nn.init.uniform_(model.model.norm.weight, 0.5, 1.5)
    return LoadedModel("untrained", model, tokenizer)


def stories_of_qa1(n):
    rng = Random(0)
    return [make_story("qa1", rng) for _ in range(n)]


def test_everything_comes_from_the_slot_of_the_person():
    result = attribute_answers(LM, about("Sandra"))
    assert result.of(MEMORY).value == pytest.approx(result.of(TOTAL).value, abs=1e-5)
    assert result.of(TOTAL).value > 5
    expected = np.zeros((1, 5))
    expected[0, SLOT_OF["Sandra"]] = result.of(TOTAL).value
    np.testing.assert_allclose(result.slots[STORY_BANK].value, expected, atol=1e-4)
    assert result.strongest[STORY_BANK].value == pytest.approx(result.of(TOTAL).value, abs=1e-4)
    assert result.blocks == (MEMORY_BLOCK,)
    assert "block 0 memory" not in result.components


def test_a_fresh_bank_gives_nothing_and_other_stories_banks_what_chance_gives():
    """Of four places one is the answer; the others speak against it as loudly as it speaks for itself."""
    result = attribute_answers(LM, handmade_stories(200), seed=2)
    assert result.of(MEMORY, FRESH).value == pytest.approx(0, abs=1e-5)
    other, untold = result.of(MEMORY, OTHER), (2 / 3) ** 7
    assert other.low < result.of(MEMORY).value * (1 - untold) * (1 / 4 - 3 / 4) < other.high
    assert result.strongest[OTHER].low > 0 > other.high  # the controls choose their own strongest slot


def test_parts_add_up_to_the_logits_in_any_model(odd_lm):
    result = attribute_answers(odd_lm, stories_of_qa1(4))
    assert result.error < 1e-4
    assert result.slot_error < 1e-4
    assert result.components[:4] == ("embedding", "block 0 attention", "block 0 memory", "block 0 MLP")
    assert result.components[4:6] == ("block 1 attention", "block 1 MLP")
    for bank in (STORY_BANK, FRESH, OTHER):
        parts = sum(it.value for it in result.parts[bank][:-2])
        assert parts == pytest.approx(result.of(TOTAL, bank).value, abs=1e-4)
        memory = result.of("block 0 memory", bank).value + result.of("block 2 memory", bank).value
        assert result.of(MEMORY, bank).value == pytest.approx(memory, abs=1e-5)


def test_a_slot_s_part_is_gate_times_pattern_times_value(odd_lm):
    """Block 0 of one question, head by head, of arrays that are computed anew."""
    stories, model = stories_of_qa1(2), odd_lm.model
    it, q = run(odd_lm, stories), 3
    words, text = compared_words(it), question_texts(stories)[3]
    parts = _attributed(odd_lm, [text], it.question_banks[q : q + 1], words[q : q + 1])
    ids = torch.tensor([odd_lm.tokenizer(text, add_special_tokens=False)["input_ids"]])
    with torch.no_grad():
        bank = it.question_banks[q : q + 1]
        _, cache = model.run_with_cache(ids[:, None], None, bank, write_memory=False)
        mem, stream = model.model.layers[0].mem, cache["blocks.2.hook_resid_post"][0, -1]
        mid = cache["blocks.0.hook_resid_pre"] + cache["blocks.0.hook_attn_out"]
        k, v = (split_heads(x, 4) for x in mem.slots(bank, mem.slot_key))
        pattern = attention_pattern(split_heads(mem.q_proj(mem.read_norm(mid)), 4), k)[0, :, -1]
        keep = pattern >= pattern.topk(3, dim=-1).values[:, -1:]
        pattern = pattern * keep / (pattern * keep).sum(-1, keepdim=True)
        answer, rival = model.lm_head.weight[words[q]]
        norm = model.model.norm
        reads_out = (answer - rival) * norm.weight / (stream.pow(2).mean() + norm.eps).sqrt()
        gate = cache["blocks.0.mem.hook_gate_out"][0, -1]
        for slot in range(7):
            read = torch.cat([pattern[head, slot] * v[0, head, slot] for head in range(4)])
            assert parts.slots[0, 0, slot] == pytest.approx(float((gate * read) @ reads_out), abs=1e-5)


def test_another_bank_is_that_of_another_story_after_as_many_sentences():
    it = run(LM, handmade_stories(6))
    banks = other_banks(it, 0)
    for q, bank in enumerate(banks):
        same = [b for b in range(6) if torch.equal(it.banks[b, it.step[q] - 1], bank)]
        assert same
        assert it.story[q] not in same
    assert torch.equal(banks, other_banks(it, 0))
    assert not torch.equal(banks, other_banks(it, 1))
    with pytest.raises(ValueError, match="got one story and no other to compare it with; give at least two"):
        attribute_answers(LM, handmade_stories(1))


def test_summary_table_and_figure_hold_finding_and_controls():
    result = attribute_answers(LM, handmade_stories(12))
    table, figure = result.table(), result.figure()
    assert len(table) == 3 * (len(result.components) + 5)
    unedited = table.query(f'bank == "{STORY_BANK}" and component == "logit difference"')
    assert (unedited["logits"].item(), unedited["n"].item()) == (result.of(TOTAL).value, 12)
    assert ((table["low"] <= table["logits"]) & (table["logits"] <= table["high"])).all()
    assert (table["n"] == 12).all()
    assert "control: fresh bank: memory, all blocks 0 (0 to 0, n = 12)" in result.summary()
    assert [trace.name for trace in figure.data[:3]] == [STORY_BANK, FRESH, OTHER]
    assert len(figure.data) == 5
    low, high = figure.layout.xaxis.range
    assert low == -high
    assert figure.layout.coloraxis.cmin == -figure.layout.coloraxis.cmax
    assert attribute_answers(LM, handmade_stories(12)).table().equals(table)
