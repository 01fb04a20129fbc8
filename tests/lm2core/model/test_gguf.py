"""A Llama in a GGUF file becomes an LM2 with the same logits; damaged files are refused in one line."""

import json

import gguf
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.text.bpe import open_tokenizer, train_tokenizer
from tests.lm2core.model.test_from_llama import SIZES

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip
TEXT = "the boat is in the harbour, the boy is in the boat"


def interleaved(weight, n_heads):
    """Rows of a query or key projection in the order of llama.cpp, which rotates neighbouring rows."""
    return weight.unflatten(0, (n_heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def write(path, llama, tokenizer):
    config = llama.config
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_vocab_size(config.vocab_size)
    vocabulary = sorted(tokenizer.get_vocab(), key=tokenizer.get_vocab().get)
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(vocabulary)
    merges = json.loads(tokenizer.backend_tokenizer.to_str())["model"]["merges"]
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_eos_token_id(tokenizer.eos_token_id)
    for name, weight in llama.state_dict().items():
        for ours, theirs in NAMES.items():
            name = name.replace(ours, theirs)
        if ".attn_q." in name or ".attn_k." in name:
            heads = config.num_attention_heads if ".attn_q." in name else config.num_key_value_heads
            weight = interleaved(weight, heads)
        writer.add_tensor(name.replace("model.layers.", "blk."), weight.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A Llama and the GGUF file that holds it."""
    file = tmp_path_factory.mktemp("gguf") / "small.gguf"
    tokenizer = train_tokenizer([TEXT], vocab_size=263)
    torch.manual_seed(0)
    llama = LlamaForCausalLM(LlamaConfig(**(SIZES | {"vocab_size": len(tokenizer)}))).eval()
    write(file, llama, tokenizer)
    return llama, file


def test_a_llama_from_a_gguf_file_keeps_its_logits_and_can_be_saved(stored, tmp_path):
    llama, file = stored
    model = LM2ForCausalLM.from_pretrained(str(file), memory_slots=5)
    ids = torch.randint(llama.config.vocab_size, (2, 30), generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, llama(ids).logits, rtol=0, atol=5e-6)
        model.save_pretrained(tmp_path)
        assert torch.equal(LM2ForCausalLM.from_pretrained(tmp_path)(ids).logits, model(ids).logits)
    assert not model.training


def test_the_tokenizer_in_a_gguf_file_is_read_with_it(stored):
    tokenizer = open_tokenizer(str(stored[1]))
    assert tokenizer.decode(tokenizer(TEXT)["input_ids"]) == TEXT
    assert tokenizer.eos_token == "<|endoftext|>"


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (lambda whole: whole[:-2000], "is truncated or not a Llama's GGUF file"),
        (lambda whole: whole[:900], "is truncated or not a Llama's GGUF file"),
        (lambda whole: b"hello", "does not start with the GGUF magic bytes.*; copy it again"),
    ],
    ids=["cut weights", "cut header", "another format"],
)
def test_a_damaged_file_is_refused_in_one_line(stored, tmp_path, damage, text):
    file = tmp_path / "damaged.gguf"
    file.write_bytes(damage(stored[1].read_bytes()))
    with pytest.raises(UserError, match=text) as refused:
        LM2ForCausalLM.from_pretrained(str(file), memory_slots=5)
    assert "\n" not in str(refused.value)


def test_a_missing_file_and_a_missing_size_are_refused(stored, tmp_path):
    with pytest.raises(UserError, match="there is no file .*none.gguf; give the path of a GGUF file"):
        LM2ForCausalLM.from_pretrained(str(tmp_path / "none.gguf"), memory_slots=5)
    with pytest.raises(UserError, match=r"small.gguf is a Llama without a memory; .* memory_slots=\.\.\."):
        LM2ForCausalLM.from_pretrained(str(stored[1]))
    with pytest.raises(UserError, match="revision cannot be given for a GGUF file"):
        LM2ForCausalLM.from_pretrained(str(stored[1]), memory_slots=5, revision="main")
