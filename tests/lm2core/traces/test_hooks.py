"""Hook points: the laws between them, what an edit reaches, and that looking changes nothing."""

import pytest
import torch

from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.traces.hooks import catalogue_markdown, hook_names, match_hooks
from lm2core.traces.recording import MEMORY_HOOKS, capture, recording, trace_bytes
from lm2core.traces.trace import Trace
from tests.conftest import ROOT, B, D, N, S, T, make_ids, make_model

EVERY_ROUTING = pytest.mark.parametrize(
    "changes",
    [{}, {"memory_layers": [0, 2]}, {"routing": "positional", "memory_slots": T}],
    ids=["content", "two blocks", "positional"],
)


def everything(model: LM2ForCausalLM, ids: torch.Tensor) -> Trace:
    """A trace of all hook points."""
    return capture(model, ids, names=["*"])


@EVERY_ROUTING
def test_the_catalogue_names_exactly_the_hook_points_a_model_has(changes):
    model = make_model(**changes)
    assert set(hook_names(model.config)) == set(model.hook_dict)


@EVERY_ROUTING
def test_recorded_shapes_are_those_of_the_catalogue(changes):
    trace = everything(make_model(**changes), make_ids(B, S, T))
    n_slots = changes.get("memory_slots", N)
    size = {"story": B, "segment": S, "token": T, "source": T, "slot": n_slots, "dim": D}
    size |= {"head": 3, "attn_head": 2}
    for name, array in trace.arrays.items():
        assert array.shape == tuple(size[axis] for axis in trace.axes[name]), name


@EVERY_ROUTING
def test_bank_post_is_keep_times_bank_pre_plus_write(changes):
    trace = everything(make_model(**changes), make_ids(B, S, T))
    for block in trace.blocks:
        mem = {
            n: trace.select(f"blocks.{block}.mem.hook_{n}")
            for n in ("bank_pre", "bank_post", "gate_forget", "write")
        }
        torch.testing.assert_close(
            torch.tensor(mem["bank_post"]),
            torch.tensor(mem["gate_forget"] * mem["bank_pre"] + mem["write"]),
            rtol=0,
            atol=1e-6,
        )


@EVERY_ROUTING
def test_a_block_starts_from_the_bank_the_block_before_it_left(changes):
    trace = everything(make_model(**changes), make_ids(B, S, T))
    first, *rest = trace.blocks
    left_by = first
    for block in rest:
        pre = trace.select(f"blocks.{block}.mem.hook_bank_pre")
        assert (pre == trace.select(f"blocks.{left_by}.mem.hook_bank_post")).all()
        left_by = block
    last = trace.select(f"blocks.{left_by}.mem.hook_bank_post")
    assert (trace.select("hook_bank") == last).all()
    assert (trace.select(f"blocks.{first}.mem.hook_bank_pre")[:, 1:] == last[:, :-1]).all()


def test_what_enters_the_stream_adds_up(model):
    trace = everything(model, make_ids(B, S, T))
    for block in range(3):
        part = {
            n: torch.tensor(trace.select(f"blocks.{block}.hook_{n}"))
            for n in ("resid_pre", "attn_out", "mem_out", "mlp_out", "resid_post")
        }
        total = part["resid_pre"] + part["attn_out"] + part["mem_out"] + part["mlp_out"]
        torch.testing.assert_close(part["resid_post"], total, rtol=0, atol=1e-5)
        read = trace.select(f"blocks.{block}.mem.hook_read") * trace.select(
            f"blocks.{block}.mem.hook_gate_out"
        )
        torch.testing.assert_close(part["mem_out"], torch.tensor(read))


def test_patterns_sum_to_one_and_gates_stay_in_range(model):
    trace = everything(model, make_ids(B, S, T))
    for name, array in trace.arrays.items():
        if name.endswith("pattern"):
            torch.testing.assert_close(torch.tensor(array.sum(-1)), torch.ones(array.shape[:-1]))
        if "hook_gate" in name:
            assert array.min() >= 0
            assert array.max() <= 1 + 1e-6


def test_a_recorded_run_gives_bit_identical_logits_and_leaves_no_hook(model):
    ids = make_ids(B, S, T)
    with torch.no_grad():
        plain = model(ids).logits
    with recording(model, list(model.hook_dict)):
        recorded = model(ids).logits
    assert torch.equal(plain, recorded)
    assert not any(point.has_hooks() for point in model.hook_dict.values())


def test_hooks_are_gone_after_an_exception(model):
    with pytest.raises(RuntimeError, match="stop"), recording(model, ["hook_bank"]):
        raise RuntimeError("stop")
    assert not any(point.has_hooks() for point in model.hook_dict.values())


LAST = "blocks.2."


SIZES_OF = {"content": {}, "positional": {"routing": "positional", "memory_slots": T}}


@pytest.mark.parametrize(
    ("name", "routing"),
    [
        (name, routing)
        for routing, sizes in SIZES_OF.items()
        for name in sorted(make_model(**sizes).hook_dict)
    ],
)
def test_an_edit_reaches_exactly_what_the_catalogue_says(name, routing):
    """Halve the value in the first of two segments: whose logits move?"""
    model, ids = make_model(**SIZES_OF[routing]), make_ids(B, 2, T)
    info = hook_names(model.config)[name]
    seen = []

    def edit_first(value, *, hook):
        seen.append(hook.name)
        return value * 0.5 if len(seen) == 1 else value

    with torch.no_grad():
        plain = model(ids).logits
        edited = model.run_with_hooks(ids, fwd_hooks=[(name, edit_first)]).logits
    is_read_by_next_block = routing == "positional" and name.startswith(("blocks.0.", "blocks.1."))
    comes_after_every_write = name in (f"{LAST}hook_mlp_out", f"{LAST}hook_resid_post")
    assert (not torch.equal(plain[:, 0], edited[:, 0])) == (info.answer or is_read_by_next_block)
    assert (not torch.equal(plain[:, 1], edited[:, 1])) == (info.later and not comes_after_every_write)


def test_a_writing_token_that_looks_at_one_slot_finds_what_that_slot_holds(model):
    """And its pattern, as recorded, is what it found by."""
    ids, block, slot = make_ids(B, 2, T), 1, 2
    trace = everything(model, ids)
    mem = model.model.layers[block].mem
    bank = torch.tensor(trace.select(f"blocks.{block}.mem.hook_bank_pre", segment=1))
    value = mem.slots(bank, mem.slot_key)[1].unflatten(-1, (3, -1))  # (B,N,H,K)
    pattern = torch.tensor(trace.select(f"blocks.{block}.mem.hook_write_read_pattern", segment=1))
    result = torch.einsum("bhtn,bnhk->bthk", pattern, value).flatten(-2)
    recorded = torch.tensor(trace.select(f"blocks.{block}.mem.hook_write_read", segment=1))
    torch.testing.assert_close(result, recorded, rtol=0, atol=1e-5)

    def only_one(pattern_BHTN, *, hook):
        return torch.nn.functional.one_hot(torch.tensor(slot), N).to(pattern_BHTN).expand_as(pattern_BHTN)

    seen = []
    edits = [
        (f"blocks.{block}.mem.hook_write_read_pattern", only_one),
        (f"blocks.{block}.mem.hook_write_read", lambda x, *, hook: seen.append(x.detach()) or x),
    ]
    model.run_with_hooks(ids[:, :1], fwd_hooks=edits)
    start = torch.tensor(trace.select(f"blocks.{block}.mem.hook_bank_pre", segment=0))
    (held,) = mem.slots(start, mem.slot_key)[1][None, :, slot]
    torch.testing.assert_close(seen[0], held[:, None].expand_as(seen[0]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("in_place", [False, True])
def test_a_slot_gate_edited_in_place_or_not_gives_the_same(model, in_place):
    """And cells that the hook leaves keep their write to the bit."""
    ids, slot, point = make_ids(1, 1, T), 3, "blocks.1.mem.hook_gate_in"

    def shut(value, *, hook):
        edited = value if in_place else value.clone()
        edited[:, slot] = 0
        return None if in_place else edited

    plain = capture(model, ids, names=["mem.hook_write"])
    with model.hooks(fwd_hooks=[(point, shut)]):
        shut_trace = capture(model, ids, names=["mem.hook_write"])
    write, before = (t.select("blocks.1.mem.hook_write", story=0, segment=0) for t in (shut_trace, plain))
    assert (write[slot] == 0).all()
    others = [n for n in range(N) if n != slot]
    assert (write[others] == before[others]).all()


def test_shutting_a_slot_s_input_gate_writes_nothing_to_it(model):
    ids, slot = make_ids(1, 1, T), 3

    def shut(value, *, hook):
        value = value.clone()
        value[:, slot] = 0
        return value

    with model.hooks(fwd_hooks=[("blocks.1.mem.hook_gate_in", shut)]):
        trace = everything(model, ids)
    assert (trace.select("blocks.1.mem.hook_write", story=0, segment=0, slot=slot) == 0).all()
    assert trace.select("blocks.1.mem.hook_write", story=0, segment=0, slot=0).any()


def test_hooks_document_is_what_the_catalogue_prints():
    assert (ROOT / "docs" / "HOOKS.md").read_text() == catalogue_markdown()


def test_an_unknown_name_is_an_error_with_the_nearest_ones(model):
    with pytest.raises(ValueError, match=r"no hook point 'mem.hook_gate_inn'; nearest: .*hook_gate_in"):
        capture(model, make_ids(B, S, T), names=["mem.hook_gate_inn"])


def test_patterns_choose_hooks_with_or_without_the_block(model):
    assert len(match_hooks(["mem.hook_read"], model.config)) == 3
    assert match_hooks(["blocks.1.mem.hook_read"], model.config) == ["blocks.1.mem.hook_read"]
    assert len(match_hooks(list(MEMORY_HOOKS), model.config)) == 3 * 14 + 1


def test_nothing_named_is_an_error_not_an_empty_trace(model):
    with pytest.raises(ValueError, match="no hook point given"):
        capture(model, make_ids(B, S, T), names=[])


def test_self_attention_beyond_the_segment_is_not_traced():
    model = make_model(attention_window=3)
    with pytest.raises(UserError, match="attn.hook_pattern of a model with an attention_window reaches beyo"):
        capture(model, make_ids(B, S, T), names="*")
    trace = capture(model, make_ids(B, S, T), names=["mem.*", "hook_resid_pre"])
    assert trace.blocks


def test_a_trace_over_the_budget_is_refused_before_the_run(model, monkeypatch):
    monkeypatch.setattr(model, "forward", lambda *_: pytest.fail("the model ran"))
    with pytest.raises(ValueError, match="would take 92.4 KB, but the budget is 1KB"):
        capture(model, make_ids(B, S, T), budget="1KB")


def test_left_padding_is_refused_where_it_would_misname_words(model):
    mask = torch.ones(B, S, T)
    mask[0, 1, :2] = 0
    with pytest.raises(ValueError, match="must be right-padded"):
        capture(model, make_ids(B, S, T), mask)


def test_a_mask_of_truth_values_is_taken_as_one_of_numbers(model):
    ids, mask = make_ids(B, S, T), torch.ones(B, S, T, dtype=torch.long)
    mask[0, 1, 4:] = 0
    one, two = (capture(model, ids, m, names=["hook_bank"]) for m in (mask, mask.bool()))
    assert (one.arrays["hook_bank"] == two.arrays["hook_bank"]).all()
    assert one.tokens == two.tokens
    mask[1, 2, :3] = 0
    with pytest.raises(ValueError, match="must be right-padded"):
        capture(model, ids, mask.bool())


@pytest.mark.parametrize("budget", ["lots", "12", "-1MB", "5 TB"])
def test_a_budget_that_is_no_size_is_refused(model, budget):
    with pytest.raises(ValueError, match="is not a size"):
        capture(model, make_ids(B, S, T), budget=budget)


def test_the_estimate_is_the_size_of_the_trace(model):
    ids = make_ids(B, S, T)
    size = sum(array.nbytes for array in everything(model, ids).arrays.values())
    assert trace_bytes(model, ids.shape, list(model.hook_dict)) == size


def test_a_saved_and_reloaded_model_gives_bit_equal_traces(model, tmp_path):
    ids = make_ids(B, S, T)
    model.save_pretrained(tmp_path)
    one, two = everything(model, ids), everything(LM2ForCausalLM.from_pretrained(tmp_path), ids)
    assert all((one.arrays[name] == two.arrays[name]).all() for name in one.arrays)


def test_a_record_survives_an_edit_in_place_by_a_later_hook(model):
    ids = make_ids(1, 1, T)
    plain = capture(model, ids, names=["mem.hook_read"])

    def zero_in_place(value, *, hook):
        value.zero_()

    with (
        recording(model, ["blocks.0.mem.hook_read"]) as recorder,
        model.hooks(fwd_hooks=[("blocks.0.mem.hook_read", zero_in_place)]),
    ):
        model(ids)
    assert (recorder.steps["blocks.0.mem.hook_read"][0] == plain.select("blocks.0.mem.hook_read")[:, 0]).all()
