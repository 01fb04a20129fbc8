"""Generation with the cache of an open segment: equal to running the whole text again at every token."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import GenerationConfig

from lm2core.errors import UserError
from lm2core.traces.hooks import match_hooks
from lm2core.traces.recording import MEMORY_HOOKS, capture, capture_generation, trace_bytes
from tests.conftest import POSITIONAL, B, D, N, T, V, make_ids, make_model

EVERY_ROUTING = pytest.mark.parametrize(
    "changes",
    [{}, {"memory_top_k": 2}, {"memory_layers": [1]}, {"memory_layers": []}, POSITIONAL],
    ids=["content", "top-k", "one memory block", "no memory", "positional"],
)
N_NEW = 2 * T + 3  # across two segment borders


def greedy(model, ids, n_new, **kwargs):
    """Greedy generation without a cache: the whole text again for every token."""
    with torch.no_grad():
        for _ in range(n_new):
            ids = torch.cat([ids, model(ids, **kwargs).logits[:, -1:].argmax(-1)], dim=1)
    return ids


def generate(model, ids, *, mask=None, do_sample=False, **kwargs):
    """``model.generate``, told that a random 0 in the prompt is a token."""
    mask = torch.ones_like(ids) if mask is None else mask
    return model.generate(ids, attention_mask=mask, do_sample=do_sample, pad_token_id=0, **kwargs)


def of_tokens(cache):
    """All tensors of a cache that have an entry for each token of its open segment."""
    for block in cache.blocks:
        yield from (*block.attention, *(block.rows or ()))
        yield from [] if block.stream is None else [block.stream]
    yield from [] if cache.rows_BJD is None else [cache.rows_BJD]


def left_padded(texts):
    """Ids and mask of texts of different length, padded on the left."""
    width = max(len(text) for text in texts)
    ids = torch.stack([F.pad(text, (width - len(text), 0), value=3) for text in texts])
    mask = torch.stack([F.pad(torch.ones_like(text), (width - len(text), 0)) for text in texts])
    return ids, mask


@EVERY_ROUTING
@pytest.mark.parametrize("n_prompt", [1, T - 1, T, 2 * T + 1])
@pytest.mark.parametrize("has_memory", [False, True])
def test_greedy_generation_is_the_argmax_token_by_token(changes, n_prompt, has_memory):
    model, ids = make_model(**changes), make_ids(B, n_prompt)
    bank = model(make_ids(B, 3 * T, seed=6)).memory.detach() if has_memory else None
    generated = generate(model, ids, memory=bank, max_new_tokens=N_NEW)
    assert torch.equal(generated, greedy(model, ids, N_NEW, memory=bank))


@EVERY_ROUTING
def test_cached_logits_are_those_of_the_whole_text(changes):
    """Token by token, in chunks that cross borders, and after a prompt: the same numbers."""
    model, ids = make_model(**changes), make_ids(B, 4 * T - 1)
    with torch.no_grad():
        overall = model(ids)
        for chunks in ([2, 1, T - 1, 3 * T - 3], [1] * len(ids[0]), [2 * T, 2 * T - 1]):
            logits, cache = [], None
            for part in ids.split(chunks, dim=1):
                out = model(part, past_key_values=cache, use_cache=True)
                logits.append(out.logits)
                cache = out.past_key_values
            torch.testing.assert_close(torch.cat(logits, 1), overall.logits, rtol=0, atol=5e-6)
            torch.testing.assert_close(model.close(cache), overall.memory, rtol=0, atol=5e-6)


@EVERY_ROUTING
def test_texts_of_a_left_padded_batch_are_generated_as_if_alone(changes):
    """Their segments fill at different times."""
    model = make_model(**changes)
    texts = [make_ids(n, seed=n) for n in (2, 2 * T + 4, T)]
    ids, mask = left_padded(texts)
    batch = generate(model, ids, mask=mask, max_new_tokens=N_NEW)
    for row, text in zip(batch, texts, strict=True):
        alone = greedy(model, text[None], N_NEW)
        assert torch.equal(row[-N_NEW:], alone[0, -N_NEW:])


@pytest.mark.parametrize("use_cache", [True, False])
def test_a_text_that_ends_in_a_batch_goes_on_as_nothing_and_leaves_its_own_bank(model, use_cache):
    """Padding after an end is no word: neither the other texts nor the bank of this one know of it."""
    ids = make_ids(3, 4)
    n_new = 2 * T + 5
    free = generate(model, ids, max_new_tokens=n_new)[:, 4:].tolist()
    end = next(t for i, t in enumerate(free[0]) if i > 2 and t not in free[0][:i])
    out = generate(
        model,
        ids,
        max_new_tokens=n_new,
        eos_token_id=end,
        return_dict_in_generate=True,
        use_cache=use_cache,
    )
    lengths = [4 + next((i + 1 for i, t in enumerate(row) if t == end), n_new) for row in free]
    assert lengths[0] + T < max(lengths)  # more than a segment of nothing follows
    for i, n in enumerate(lengths):
        alone = greedy(model, ids[i : i + 1], n_new)[0]
        assert torch.equal(out.sequences[i, :n], alone[:n])
        assert (out.sequences[i, n:] == 0).all()
        if use_cache:
            seen = alone[: min(n, out.sequences.shape[1] - 1)]  # what came last of all was never run
            bank = model(seen[None]).memory[0]
            torch.testing.assert_close(model.close(out.past_key_values)[i], bank, rtol=0, atol=5e-6)


@EVERY_ROUTING
def test_beam_search_gives_the_same_with_and_without_the_cache(changes):
    model, ids = make_model(**changes), make_ids(B, T + 2)
    cached, plain = (
        generate(model, ids, num_beams=3, max_new_tokens=N_NEW, use_cache=use_cache)
        for use_cache in (True, False)
    )
    assert torch.equal(cached, plain)


def test_sampling_with_one_seed_gives_the_same_text_with_and_without_the_cache(model):
    texts = []
    for seed, use_cache in ((11, True), (11, False), (12, True)):
        torch.manual_seed(seed)
        texts.append(
            generate(model, make_ids(B, 3), do_sample=True, max_new_tokens=N_NEW, use_cache=use_cache)
        )
    assert torch.equal(texts[0], texts[1])
    assert not torch.equal(texts[0], texts[2])


def test_generation_goes_on_from_a_returned_cache(model):
    ids = make_ids(B, T + 1)
    first = generate(model, ids, max_new_tokens=4, return_dict_in_generate=True)
    second = generate(model, first.sequences, past_key_values=first.past_key_values, max_new_tokens=N_NEW)
    assert torch.equal(second, greedy(model, ids, 4 + N_NEW))


def test_a_question_generated_read_only_leaves_the_bank_as_it_was(model):
    bank = model(make_ids(B, 2 * T)).memory.detach()
    out = generate(
        model,
        make_ids(B, 3, seed=5),
        memory=bank,
        write_memory=False,
        max_new_tokens=N_NEW,
        return_dict_in_generate=True,
    )
    assert torch.equal(out.past_key_values.bank_BND, bank)


@EVERY_ROUTING
def test_the_cache_never_holds_more_than_one_segment(changes):
    model = make_model(**changes)
    ids, mask = left_padded([make_ids(n, seed=n) for n in (1, 5 * T + 2)])
    with torch.no_grad():
        cache = model(ids, mask, use_cache=True).past_key_values
        for step in range(4 * T):
            cache = model(make_ids(2, 1, seed=step), past_key_values=cache, use_cache=True).past_key_values
            assert cache.mask_BJ.shape[1] <= T
            assert {x.shape[1] for x in of_tokens(cache)} == {cache.mask_BJ.shape[1]}
    assert cache.get_seq_length() == 9 * T + 2


def test_a_segment_that_was_only_read_cannot_be_closed(model):
    cache = model(make_ids(B, T - 1), use_cache=True, write_memory=False).past_key_values
    with pytest.raises(UserError, match="run with write_memory=False and has nothing to write"):
        model.close(cache)


def test_a_trace_of_real_generation_is_the_trace_of_the_text_it_made(model):
    """Steps of one token, closed segments and the open one come together as one run would have them."""
    ids = make_ids(B, T + 2)
    text, trace = capture_generation(
        model, ids, max_new_tokens=N_NEW, names=["*"], do_sample=False, pad_token_id=0
    )
    assert torch.equal(text, greedy(model, ids, N_NEW))
    run = text[:, :-1]
    n_pad = -run.shape[1] % T
    segments, mask = (F.pad(x, (0, n_pad)).view(B, -1, T) for x in (run, torch.ones_like(run)))
    at_once = capture(model, segments, mask, names=["*"])
    assert trace.arrays.keys() == at_once.arrays.keys()
    assert trace.axes == at_once.axes
    for name, array in trace.arrays.items():
        expected = at_once.arrays[name].copy()
        if "token" in trace.axes[name]:  # padding: zero here, whatever padding gives there
            tokens = np.moveaxis(expected, trace.axes[name].index("token"), 2)
            tokens[:, -1, T - n_pad :] = 0
        np.testing.assert_allclose(array, expected, rtol=0, atol=5e-6, err_msg=name)


@pytest.mark.parametrize(
    ("changes", "options", "text"),
    [
        (POSITIONAL, {}, "row by row"),
        ({}, {"num_beams": 2}, "num_beams=2"),
        ({}, {"generation_config": GenerationConfig(num_beams=3)}, "num_beams=3: beam search reorders texts"),
        ({}, {"names": ["mem.hook_nothing"]}, "no hook point 'mem.hook_nothing'"),
        ({}, {"budget": "1KB"}, "the budget is 1KB"),
        ({}, {"generation_config": GenerationConfig(eos_token_id=5)}, "2 texts may end at different tokens"),
        ({}, {"eos_token_id": 5}, "2 texts may end at different tokens.*: eos_token_id=None"),
        ({}, {"attention_mask": torch.ones(B, 3)}, "sets attention_mask itself; omit it"),
        ({}, {"use_cache": False}, "sets use_cache itself; omit it"),
    ],
    ids=[
        "positional",
        "beams",
        "beams of a config",
        "unknown hook",
        "budget",
        "ends of a config",
        "ends",
        "mask",
        "no cache",
    ],
)
def test_generation_that_cannot_be_recorded_is_refused(changes, options, text):
    with pytest.raises(ValueError, match=text):
        capture_generation(make_model(**changes), make_ids(B, 3), max_new_tokens=T, **options)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [("num_beams", 3, "num_beams=3: beam"), ("eos_token_id", 5, "2 texts may end at different tokens")],
)
def test_what_the_model_s_own_config_says_of_generation_is_seen(model, name, value, text):
    """Also beside a given config that is silent on it; an option has the last word."""
    setattr(model.generation_config, name, value)
    for options in ({}, {"generation_config": GenerationConfig(pad_token_id=0)}):
        with pytest.raises(ValueError, match=text):
            capture_generation(model, make_ids(B, 3), max_new_tokens=4, **options)
    plain = {"num_beams": 1, "eos_token_id": None, "do_sample": False, "pad_token_id": 0}
    text, _ = capture_generation(model, make_ids(B, 3), max_new_tokens=4, **plain)
    assert torch.equal(text, greedy(model, make_ids(B, 3), 4))


@pytest.mark.parametrize("in_config", [False, True])
def test_texts_returned_for_one_prompt_count_towards_the_budget(model, in_config):
    questions = {"num_return_sequences": 7, "do_sample": True, "pad_token_id": 0}
    options = {"generation_config": GenerationConfig(**questions)} if in_config else questions
    size = trace_bytes(model, (B * 7, 2, T), match_hooks(MEMORY_HOOKS, model.config))
    ids, n_new = make_ids(B, 3), T
    with pytest.raises(ValueError, match="use fewer hooks or stories, reduce them, or raise the budget"):
        capture_generation(model, ids, max_new_tokens=n_new, budget=f"{(size - 1) / 1e6}MB", **options)
    text, trace = capture_generation(model, ids, max_new_tokens=n_new, budget=f"{size / 1e6}MB", **options)
    assert len(text) == len(trace.tokens) == B * 7
    assert sum(array.nbytes for array in trace.arrays.values()) == size


def test_a_config_that_would_not_use_the_cache_is_recorded_with_it(model):
    config = GenerationConfig(use_cache=False, do_sample=False, pad_token_id=0)
    text, _ = capture_generation(model, make_ids(B, 3), max_new_tokens=4, generation_config=config)
    assert torch.equal(text, greedy(model, make_ids(B, 3), 4))


def test_the_trace_of_one_text_ends_where_the_text_ends(model):
    ids = make_ids(1, T + 2)
    free = greedy(model, ids, N_NEW)[0, T + 2 :].tolist()
    at = max(map(free.index, free))  # of the token that came last for the first time
    assert at < N_NEW - 1
    text, trace = capture_generation(
        model, ids, max_new_tokens=N_NEW, do_sample=False, pad_token_id=0, eos_token_id=free[at]
    )
    assert text.shape[1] == T + 2 + at + 1
    assert sum(map(len, trace.tokens[0])) == text.shape[1] - 1


def test_only_the_wanted_logits_are_made_and_they_are_the_last_ones(model):
    ids, mask = left_padded([make_ids(n, seed=n) for n in (4, 3 * T + 1)])
    with torch.no_grad():
        overall, last = model(ids, mask).logits, model(ids, mask, logits_to_keep=2).logits
    assert last.shape == (2, 2, V)
    assert torch.equal(last, overall[:, -2:])


def test_a_cache_of_another_kind_is_refused(model):
    with pytest.raises(ValueError, match="cache_implementation='static' is not supported"):
        generate(model, make_ids(1, 2), cache_implementation="static", max_new_tokens=3)


def test_a_prompt_that_ends_with_padding_is_refused(model):
    mask = torch.ones(2, 5, dtype=torch.long)
    mask[1, 3:] = 0
    with pytest.raises(ValueError, match="a prompt ends with padding.*padding_side = 'left'"):
        generate(model, make_ids(2, 5), mask=mask, max_new_tokens=2)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"input_ids": make_ids(B + 1, 1)}, "past_key_values has 2 texts, but input_ids 3; they must"),
        ({"memory": torch.zeros(B, N, D)}, "the bank is in past_key_values; omit memory"),
        ({"labels": make_ids(B, 3)}, "a loss needs the whole text; run it without past_key_values"),
        ({"input_ids": make_ids(B, 2, T)}, "with past_key_values input_ids must be"),
        ({"past_key_values": (1, 2)}, "past_key_values is a tuple; give the one that this model"),
    ],
    ids=["batch", "bank", "labels", "segments", "kind"],
)
def test_what_a_cache_cannot_go_on_with_is_refused(model, call, text):
    with torch.no_grad():
        cache = model(make_ids(B, T - 2), use_cache=True).past_key_values
    with pytest.raises(ValueError, match=text):
        model(**({"input_ids": make_ids(B, 3), "past_key_values": cache} | call))


def test_given_segments_have_no_cache(model):
    with pytest.raises(ValueError, match="use_cache needs input_ids"):
        model(make_ids(B, 2, T), use_cache=True)


@pytest.mark.parametrize(
    ("bank", "text"),
    [
        (
            torch.zeros(B, N, D, dtype=torch.float64),
            "memory is torch.float64, but the model is torch.float32",
        ),
        (torch.zeros(B, N, D, device="meta"), "memory is on meta, but the model on cpu"),
        (torch.zeros(B + 1, N, D), r"memory must be \(2, 5, 12\) \(B,N,D\), got \(3, 5, 12\)"),
    ],
    ids=["dtype", "device", "batch size"],
)
def test_a_bank_of_another_model_is_refused(model, bank, text):
    with pytest.raises(ValueError, match=text):
        model(make_ids(B, T), memory=bank)
