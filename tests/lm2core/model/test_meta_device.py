"""The hot path waits for nothing: it runs on the meta device, which has shapes but no values.

Reading a value there (``.item()``, ``int(tensor)``, ``nonzero``) is an error, as it is in a compiled graph.
"""

import pytest
import torch

from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.model.config import LM2Config
from tests.conftest import EVERY_ROUTING, POSITIONAL, SIZES, B, N, S, T, V, make_ids, make_model


def on_meta(**changes) -> LM2ForCausalLM:
    with torch.device("meta"):
        return LM2ForCausalLM(LM2Config(**(SIZES | {"num_hidden_layers": 1} | changes)))


def ids_on_meta(*shape: int) -> torch.Tensor:
    return torch.empty(shape, dtype=torch.long, device="meta")


@EVERY_ROUTING
@pytest.mark.parametrize(("shape", "is_masked"), [((B, 2 * T - 2), False), ((B, 2, T), True)])
def test_loss_and_gradients_read_no_value(changes, shape, is_masked):
    model, ids = on_meta(**changes).train(), ids_on_meta(*shape)
    model(ids, torch.ones_like(ids) if is_masked else None, labels=ids).loss.backward()
    assert all(p.grad.shape == p.shape for p in model.parameters())


@EVERY_ROUTING
@pytest.mark.parametrize("n_prompt", [T - 3, 2 * T - 3])
def test_a_generated_token_reads_no_value_until_its_segment_is_full(changes, n_prompt):
    model, ids = on_meta(**changes).eval(), ids_on_meta(B, n_prompt)
    ends = torch.empty(1, dtype=torch.long, device="meta"), n_prompt
    out = model(ids, use_cache=True, logits_to_keep=1)
    for _ in range(2):
        ids = torch.cat([ids, out.logits.argmax(-1)], dim=1)
        inputs = model.prepare_inputs_for_generation(
            ids, past_key_values=out.past_key_values, ends=ends, use_cache=True, logits_to_keep=1
        )
        out = model(**inputs)
    assert out.logits.shape == (B, 1, V)
    assert out.past_key_values.n_room == 1
    with pytest.raises(RuntimeError, match="meta"):  # which texts are full: once a segment
        model(ids[:, -1:], past_key_values=out.past_key_values)


def test_a_story_s_logits_read_no_value():
    model, ids = on_meta(), ids_on_meta(B, S, T)
    out = model(ids, torch.ones_like(ids), logits_to_keep=1)
    at = torch.zeros(3, dtype=torch.long, device="meta")
    assert out.memory_at(at, at).shape == (3, N, SIZES["hidden_size"])


@pytest.mark.parametrize("changes", [{}, POSITIONAL])
def test_the_whole_model_compiles_without_a_graph_break(changes):
    model, ids = make_model(num_hidden_layers=2, **changes), make_ids(B, 2 * T)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    here, there = model(ids, labels=ids), compiled(ids, labels=ids)
    for name in ("logits", "loss", "memory"):
        torch.testing.assert_close(there[name], here[name])


@pytest.mark.parametrize("changes", [{}, POSITIONAL])
def test_the_model_exports_as_a_graph_with_the_same_logits(changes):
    model, ids = make_model(num_hidden_layers=1, **changes), make_ids(B, 2 * T)
    program = torch.export.export(model, (ids,)).module()
    other = make_ids(B, 2 * T, seed=2)
    torch.testing.assert_close(program(other).logits, model(other).logits)


def test_a_compiled_model_still_says_which_ids_are_allowed():
    model = make_model(num_hidden_layers=1)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    with pytest.raises(RuntimeError, match=f"token ids must be in 0..{V - 1}"):
        compiled(make_ids(B, T) + V)


def test_generate_refuses_ids_outside_the_vocabulary_before_the_first_token(model):
    with pytest.raises(ValueError, match=r"token ids must be in 0\.\.16, got 17\.\.33; use the model's"):
        model.generate(torch.arange(V, 2 * V)[None], max_new_tokens=1)
