"""ARMT: its equations by hand, what the delta rule replaces and keeps, and how far gradients run."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm

from lm2core.baselines.architectures import make_model
from lm2core.baselines.armt import ARMTConfig, ARMTForCausalLM
from lm2core.baselines.associative_memory import EPS, NU, key_features, n_features, read, write
from lm2core.model.config import LM2Config, babi_tiny, base
from tests.conftest import SIZES, B, D, N, S, T, V, make_ids, with_values
from tests.lm2core.baselines.test_baselines import as_llama

K, F = 4, 24
ONE = torch.tensor([[[1.0, 1.0, -1.0, -1.0]]])  # a key; its negative has no feature in common with it
ALL = torch.ones(1, 1, 1)  # a strength


def make(**changes: object) -> ARMTForCausalLM:
    """An ARMT of the small sizes that has learned nothing but to write values."""
    torch.manual_seed(0)
    model = make_model(LM2Config(**(SIZES | changes)), "armt")
    assert isinstance(with_values(model), ARMTForCausalLM)
    return model.eval()


def values(n: int = 1, *, seed: int = 0) -> Tensor:
    return torch.randn(1, n, D, generator=torch.Generator().manual_seed(seed))


def empty() -> Tensor:
    return torch.zeros(1, F, D + 1)


def features_by_hand(key: Tensor) -> Tensor:
    k = layer_norm(key, key.shape)
    r = [max(x, 0.0) for x in [*k.tolist(), *(-k).tolist()]]
    return torch.tensor([r[i] * r[i - distance] for distance in range(1, NU + 1) for i in range(len(r))])


def written_by_hand(memory, a_DF: Tensor, z_F: Tensor, states_ND: Tensor) -> tuple[Tensor, Tensor]:
    """A and z after the memory tokens of one text, each beside what was there before all of them."""
    new_a, new_z = a_DF.clone(), z_F.clone()
    for m in states_ND:
        f, v = features_by_hand(memory.key(m)), memory.value(m)
        held = a_DF @ f / (z_F @ f + EPS)
        new_a += memory.strength(m).sigmoid() * torch.outer(v - held, f)
        new_z += min(max(1 - float(z_F @ f) / (float(f @ f) + EPS), 0.0), 1.0) * f
    return new_a, new_z


@torch.no_grad()
def test_armt_is_the_paper_s_equations_around_the_layers_of_transformers_llama():
    model, ids = make(), make_ids(B, 3, T)
    llama, layers = as_llama(model).model, len(model.model.layers)
    out = model(ids)
    for b in range(B):
        a = [torch.zeros(D, n_features(model.config.memory_key_size)) for _ in range(layers)]
        z = [x[0].clone() for x in a]
        for s in range(3):
            x = torch.cat([llama.embed_tokens(ids[b, s]), model.memory_start])[None]
            mask = torch.full((T + N, T + N), -1e9).triu(1)[None, None]
            rotation = llama.rotary_emb(x, torch.arange(T + N)[None])
            for i, (layer, memory) in enumerate(zip(llama.layers, model.model.memories, strict=True)):
                keys = [features_by_hand(memory.query(token)) for token in x[0]]
                x = x + torch.stack([a[i] @ f / (z[i] @ f + EPS) for f in keys])
                x = layer(x, attention_mask=mask, position_embeddings=rotation)
                a[i], z[i] = written_by_hand(memory, a[i], z[i], x[0, T:])
            logits = model.lm_head(llama.norm(x))[0, :T]
            torch.testing.assert_close(out.logits[b, s], logits, rtol=1e-3, atol=1e-4)
            matrices = torch.stack([torch.cat([a[i].T, z[i][:, None]], 1) for i in range(layers)])
            carried = out.memory_per_segment[s][b].unflatten(0, (layers, -1))
            torch.testing.assert_close(carried, matrices, rtol=1e-3, atol=1e-4)


def test_the_value_written_to_a_key_is_read_from_it_and_replaced_by_the_next():
    f, first, second = key_features(ONE), values(seed=1), values(seed=2)
    once = write(empty(), f, first, ALL)
    torch.testing.assert_close(read(once, f), first, rtol=1e-3, atol=1e-3)
    twice = write(once, f, second, ALL)
    torch.testing.assert_close(read(twice, f), second, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(twice[..., -1], once[..., -1], rtol=1e-3, atol=1e-3)  # the key is no news


def test_half_a_strength_goes_half_the_way():
    f, first, second = key_features(ONE), values(seed=1), values(seed=2)
    matrix = write(write(empty(), f, first, ALL), f, second, ALL / 2)
    torch.testing.assert_close(read(matrix, f), (first + second) / 2, rtol=1e-3, atol=1e-3)


def test_a_key_without_a_common_feature_keeps_its_value():
    one, other = key_features(ONE), key_features(-ONE)
    assert not (one * other).any()
    first, second = values(seed=1), values(seed=2)
    matrix = write(write(empty(), one, first, ALL), other, second, ALL)
    torch.testing.assert_close(read(matrix, one), first, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(read(matrix, other), second, rtol=1e-3, atol=1e-3)


def test_an_empty_memory_reads_as_zero():
    assert not read(empty(), key_features(torch.randn(1, 7, K))).any()


def test_the_weights_that_divide_a_read_never_become_negative():
    torch.manual_seed(0)
    matrix = empty()
    for _ in range(20):
        matrix = write(matrix, key_features(torch.randn(1, N, K)), values(N), torch.rand(1, N, 1))
    assert (matrix[..., -1] >= 0).all()


def test_a_new_armt_is_a_llama_that_sees_one_segment():
    model, ids = make_model(LM2Config(**SIZES), "armt").eval(), make_ids(B, S, T)
    with torch.no_grad():
        alone = as_llama(model)(ids.flatten(0, 1)).logits.unflatten(0, (B, S))
        torch.testing.assert_close(model(ids).logits, alone)


@pytest.mark.parametrize(("n_segments", "reaches"), [(0, True), (S, True), (2, False)])
def test_gradients_run_back_through_all_segments_unless_cut(n_segments, reaches):
    model, ids = make(), make_ids(B, S, T) % (V - 1)
    ids[:, 0, 2] = V - 1  # a token of the first segment alone
    model(ids, backprop_segments=n_segments).logits[:, -1].sum().backward()
    assert bool(model.model.embed_tokens.weight.grad[V - 1].any()) is reaches


def test_a_question_reads_the_matrices_and_writes_nothing():
    model = make()
    memory = model(make_ids(B, S, T)).memory
    out = model(make_ids(B, 1, T, seed=2), None, memory, write_memory=False)
    assert out.memory is memory
    assert not torch.equal(out.logits, model(make_ids(B, 1, T, seed=2), write_memory=False).logits)


@pytest.mark.parametrize(("preset", "key_size"), [(babi_tiny, 16), (base, 64)])
def test_keys_are_a_quarter_of_the_width_up_to_the_paper_s_64(preset, key_size):
    with torch.device("meta"):
        assert make_model(preset(vocab_size=39), "armt").config.memory_key_size == key_size


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="memory_key_size=1 must be a whole number, at least 2"):
        ARMTConfig(memory_key_size=1)
    with pytest.raises(ValueError, match="memory_slots=0 must be a whole number, at least 1"):
        ARMTConfig(memory_slots=0)
