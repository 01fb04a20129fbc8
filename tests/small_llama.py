"""A random Llama of four blocks with a small byte-level BPE: a language model to add a memory to."""

from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerBase

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.text.bpe import train_tokenizer

TEXT = """Mary went to the kitchen. John is in the garden. The violin is in the thicket? Where is Mary now
Mary took the violin to the garden, and John went to the kitchen. Where is the violin? Who has the violin"""
STORY = ("Mary went to the kitchen.", "John is in the thicket.")
MEMORY = {
    "memory_slots": 6,
    "memory_heads": 2,
    "memory_width": 8,
    "memory_taps": [1, 2],
    "memory_layers": [2, 3],
}


def small_tokenizer(text: str = TEXT) -> PreTrainedTokenizerBase:
    """A byte-level BPE that has the commonest words of ``text``, but no whole thicket."""
    tokenizer = train_tokenizer([text.replace("thicket", "")], vocab_size=320)
    tokenizer.bos_token = tokenizer.eos_token
    return tokenizer


def save_llama(folder: Path, *, seed: int = 0, text: str = TEXT, **changes: object) -> Path:
    """A folder with a random Llama and its tokenizer, as transformers writes it."""
    tokenizer = small_tokenizer(text)
    sizes = {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "tie_word_embeddings": True,
    }
    torch.manual_seed(seed)
    LlamaForCausalLM(LlamaConfig(**(sizes | changes))).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def with_memory(llama: Path, *, seed: int = 0) -> LM2ForCausalLM:
    """The Llama with a memory that is not closed, as after training."""
    torch.manual_seed(seed)
    model = LM2ForCausalLM.from_pretrained(llama, memory_starts_closed=False, **MEMORY)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if ".mem." in name:
                weight.normal_(0, 0.5)
    return model.eval()
