"""A memory of its own width: beside a Llama it costs little, and every law of the memory holds in it."""

import pytest
import torch

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from lm2core.model.sizes import model_size
from lm2core.traces.hooks import hook_names
from lm2core.traces.recording import capture, trace_bytes
from lm2viz.provenance.decomposition import decompositions
from tests.lm2core.model.test_from_llama import IDS, SIZES, llama_folder

NARROW = {"memory_slots": 5, "memory_heads": 2, "memory_width": 18, "memory_layers": [2], "segment_length": 9}
TAPPED = NARROW | {"memory_taps": [0, 2]}
BLOCK = TAPPED | {"memory_path_block": True}


def narrow_model(**changes):
    torch.manual_seed(3)
    return LM2ForCausalLM(LM2Config(**(SIZES | BLOCK | changes))).eval()


@pytest.mark.parametrize(
    "memory", [NARROW, TAPPED, BLOCK, TAPPED | {"memory_layers": [1, 2], "memory_taps": [1]}]
)
def test_a_new_narrow_memory_leaves_the_logits_of_the_llama_as_they_were(tmp_path, memory):
    llama = llama_folder(tmp_path)
    model = LM2ForCausalLM.from_pretrained(tmp_path, **(memory | {"segment_length": IDS.shape[1]}))
    with torch.no_grad():
        torch.testing.assert_close(model(IDS).logits, llama(IDS).logits, rtol=0, atol=2e-6)


def test_its_bank_has_its_width_and_its_parameters_are_those_of_that_width():
    size = model_size(LM2Config(**(SIZES | TAPPED)))
    own = model_size(LM2Config(**(SIZES | NARROW | {"memory_width": None})))
    width, stream = 18, 24
    assert narrow_model()(IDS).memory.shape == (2, 5, 18)
    assert size.n_bank == 5 * width
    assert size.n_backbone == own.n_backbone
    maps = 2 * stream * width + width + width * stream
    memory = (1 + 2 + 4 + 3) * width**2 + 2 * width + (5 + 3) * width  # maps, their biases, keys and norms
    assert size.n_memory == maps + memory


def test_as_wide_as_the_stream_but_without_maps_is_the_same_as_none():
    plain = narrow_model(memory_width=None, memory_taps=None, memory_path_block=False)
    assert not any(".path." in name for name, _ in plain.named_parameters())


def test_no_token_changes_an_earlier_logit_of_a_tapped_memory():
    model = narrow_model()
    later = IDS.clone()
    later[:, 31:] = (later[:, 31:] + 1) % 31
    with torch.no_grad():
        before, after = model(IDS).logits, model(later).logits
    assert torch.equal(before[:, :31], after[:, :31])
    assert not torch.equal(before[:, 31:], after[:, 31:])


@pytest.mark.parametrize("routing", ["content", "positional"])
def test_token_by_token_is_the_same_as_whole_segments(routing):
    changes = {"routing": routing} | ({"segment_length": 5} if routing == "positional" else {})
    model = narrow_model(**changes)
    with torch.no_grad():
        whole = model(IDS)
        step = model(IDS[:, :1], use_cache=True)
        logits = [step.logits]
        for t in range(1, IDS.shape[1]):
            step = model(IDS[:, t : t + 1], past_key_values=step.past_key_values, use_cache=True)
            logits.append(step.logits)
        bank = model.close(step.past_key_values)
    torch.testing.assert_close(torch.cat(logits, 1), whole.logits, rtol=0, atol=2e-5)
    torch.testing.assert_close(bank, whole.memory, rtol=0, atol=2e-5)


def test_what_it_reads_depends_on_the_tapped_streams():
    model, other = narrow_model(), narrow_model(memory_taps=[0, 1])
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert not torch.allclose(model(IDS).logits, other(IDS).logits, atol=1e-4)


def test_a_saved_narrow_memory_is_loaded_with_its_logits(tmp_path):
    model = narrow_model()
    model.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(LM2ForCausalLM.from_pretrained(tmp_path)(IDS).logits, model(IDS).logits)


def test_all_of_a_narrow_memory_and_its_maps_get_gradients():
    model = narrow_model()
    model.train()(IDS, labels=IDS).loss.backward()
    dead = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert dead == []


def test_a_slot_unrolls_into_tokens_in_its_width():
    model = narrow_model()
    trace = capture(model, IDS.view(2, 5, 10), names="*mem.*")
    *_, parts = decompositions(trace, 1, 5, "copies")
    with torch.no_grad():
        bank = model(IDS.view(2, 5, 10)).memory[1]
    assert parts.written.shape[1:] == (5, 18)
    assert parts.error(bank.double().numpy()) < 1e-5


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"memory_width": 15}, "memory_heads=2 must divide memory_width=15"),
        ({"memory_width": 0}, "memory_width=0 must be a whole number"),
        ({"memory_width": None, "memory_path_block": False}, "set memory_width as well"),
        ({"memory_width": 14}, "multiple of head_dim=6, got 14"),
        ({"memory_gate_rank": 19}, "between 1 and memory_width=18"),
        ({"memory_taps": [0, 3]}, r"memory_taps=\[0, 3\] must name blocks 0..2"),
        ({"memory_taps": [2], "memory_layers": [1, 2]}, "none after the first with memory, which is 1"),
        ({"memory_taps": []}, "at least one block"),
    ],
)
def test_impossible_widths_and_taps_are_refused(changes, says):
    with pytest.raises(UserError, match=says):
        LM2Config(**(SIZES | BLOCK | changes))


def test_a_trace_of_a_narrow_memory_takes_as_many_bytes_as_were_announced():
    model = narrow_model()
    trace = capture(model, IDS.view(2, 5, 10), names="*")
    assert set(trace.arrays) == set(hook_names(model.config))
    assert sum(array.nbytes for array in trace.arrays.values()) == trace_bytes(
        model, (2, 5, 10), list(trace.arrays)
    )


def test_an_edit_of_the_path_s_attention_changes_the_answer_and_what_is_written():
    model = narrow_model()
    name = "blocks.2.mem.path.block.attn.hook_pattern"
    plain = model(IDS.view(2, 5, 10))
    edited = model.run_with_hooks(IDS.view(2, 5, 10), fwd_hooks=[(name, lambda x, hook: x * 0)])
    assert not torch.allclose(edited.logits[:, 0], plain.logits[:, 0], atol=1e-5)
    assert not torch.allclose(edited.memory, plain.memory, atol=1e-5)
