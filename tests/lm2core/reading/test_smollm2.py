"""SmolLM2 as a backbone, where ``lm2 backbone smollm2`` has put it; elsewhere these are skipped."""

import json
from dataclasses import replace
from itertools import islice

import pytest
import torch
from transformers import LlamaForCausalLM

from lm2core.babi.text import TextStory
from lm2core.english.lexicon import lexicon
from lm2core.english.stories import single_questions
from lm2core.evaluation.stories import predict, score
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.answers import memory_after
from lm2core.reading.backbones import cached_backbone, is_here
from lm2core.reading.checkpoints import SHIPPED, load
from lm2core.reading.given_words import encode_questions, greedy_answers
from lm2core.reading.memory_weights import save_memory
from lm2core.text.bpe import open_tokenizer
from lm2core.text.shown_words import segment_words

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not is_here("smollm2"), reason="SmolLM2 is not in the cache: lm2 backbone smollm2"),
]

SHIPS = "smollm2-135m-stories"
PATTERN = "blocks.29.mem.hook_read_pattern"


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


@pytest.fixture(scope="module")
def shipped():
    return load(SHIPS)


def test_the_memory_that_ships_answers_unseen_words_as_its_card_says(shipped):
    """Its interval of 40 questions holds the card's figure; without the story the words are not guessed."""
    drawn = single_questions("one-fact", 97, lexicon("test"), n_sentences=10, prompted=True)
    stories = list(islice(drawn, 40))
    result = score(stories, predict(shipped, stories))
    card = json.loads((SHIPPED / SHIPS / "card.json").read_text())["accuracy"]["one-fact, 10 sentences"]
    assert result.low <= card <= result.high
    unread = [TextStory((), (replace(story.questions[0], n_statements=0),)) for story in stories]
    assert score(unread, predict(shipped, unread)).high < 0.3


def test_of_somebody_whom_no_sentence_names_the_memory_reads_nothing(shipped):
    memory = memory_after(shipped, ["Oscar went to the garden.", "Irene is now in the attic."])
    read = {}
    for name in ("Irene", "Napoleon"):
        ids, mask = encode_questions(shipped, [f"Where is {name}? {name} is in the"])
        _, cache = shipped.model.run_with_cache(ids[:, None], mask[:, None], memory, names_filter=PATTERN)
        read[name] = float(cache[PATTERN][..., -1, :].max())
    assert read["Irene"] > 0.9
    assert read["Napoleon"] < 0.1
