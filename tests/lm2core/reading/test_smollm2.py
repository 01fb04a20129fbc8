"""SmolLM2 as a backbone, where ``lm2 backbone smollm2`` has put it; elsewhere these are skipped."""

import pytest
import torch
from transformers import LlamaForCausalLM

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.backbones import cached_backbone, is_here
from lm2core.reading.checkpoints import load
from lm2core.reading.given_words import encode_questions, greedy_answers
from lm2core.reading.memory_weights import save_memory
from lm2core.text.bpe import open_tokenizer
from lm2core.text.shown_words import segment_words

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_here("smollm2"), reason="SmolLM2 is not in the cache: lm2 backbone smollm2"),
]


@pytest.fixture(scope="module")
def lm(tmp_path_factory):
    """SmolLM2 with a new, closed memory, saved alone and opened again."""
    folder, backbone = tmp_path_factory.mktemp("memory"), str(cached_backbone("smollm2"))
    model = LM2ForCausalLM.from_pretrained(
        backbone, memory_slots=16, memory_heads=4, memory_width=128, memory_layers=[27]
    )
    save_memory(model, open_tokenizer(backbone), folder, backbone="smollm2")
    assert sum(file.stat().st_size for file in folder.iterdir()) < 2_000_000
    return load(folder)


def test_with_a_closed_memory_it_says_what_the_llama_says(lm):
    llama = LlamaForCausalLM.from_pretrained(cached_backbone("smollm2")).eval()
    (ids,), _ = encode_questions(lm, ["Mary went to the kitchen."])
    with torch.no_grad():
        torch.testing.assert_close(lm.model(ids[None]).logits, llama(ids[None]).logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("prompt", "word", "n_tokens"),
    [
        ("Mary went to the kitchen. Where is Mary? Answer: Mary is in the", "kitchen", 1),
        ("Mary lives in the thicket. Where is Mary? Mary is in the", "thicket", 2),
    ],
)
def test_it_continues_a_text_with_a_whole_word(lm, prompt, word, n_tokens):
    bank = lm.model.new_memory(1)
    ((given, probability),) = greedy_answers(lm, *encode_questions(lm, [prompt]), bank)
    assert given == word and 0.1 < probability < 1
    assert len(segment_words(lm.tokenizer, word)) == 1 + n_tokens
