"""The baselines: what flows where, that they are what they say they are, and that they answer LM2's call."""

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.babi.vocabulary import babi_words
from lm2core.baselines.architectures import ARCHITECTURES, check_architecture, make_model
from lm2core.cli.main import main
from lm2core.model.config import LM2Config, babi_tiny, base, lm2_1_7b
from lm2core.model.sizes import n_parameters
from lm2core.reading.checkpoints import load
from lm2core.reading.continuing import answer_logits
from lm2core.text.tokenizer import word_tokenizer
from tests.conftest import SIZES, B, D, N, S, T, V, make_ids, with_values

BASELINES = ARCHITECTURES[1:]
WITH_TOKENS = ("rmt", "armt")
WITH_SEGMENTS = ("rmt", "armt", "llama-window")


def make(architecture: str, **changes: object):
    """An untrained model of the small sizes; an ARMT as if it had learned to write values."""
    torch.manual_seed(0)
    model = make_model(LM2Config(**(SIZES | changes)), architecture).eval()
    return with_values(model) if architecture == "armt" else model


def as_llama(model) -> LlamaForCausalLM:
    """transformers' own Llama with the weights of a baseline."""
    sizes = {name: getattr(model.config, name) for name in SIZES if hasattr(LlamaConfig(), name)}
    llama = LlamaForCausalLM(LlamaConfig(**sizes)).eval()
    llama.load_state_dict({name: x for name, x in model.state_dict().items() if "memor" not in name})
    return llama


@pytest.mark.parametrize("architecture", BASELINES)
@pytest.mark.parametrize("preset", [babi_tiny, base, lm2_1_7b])
def test_a_baseline_has_as_many_parameters_as_the_lm2(architecture, preset):
    config = preset(vocab_size=39)
    with torch.device("meta"):
        lm2, other = make_model(config, "lm2"), make_model(config, architecture)
    assert n_parameters(other) == pytest.approx(n_parameters(lm2), rel=0.001)
    assert other.config.num_hidden_layers == config.num_hidden_layers


@pytest.mark.parametrize("architecture", BASELINES)
def test_no_future_token_reaches_an_earlier_logit(architecture):
    model, ids = make(architecture), make_ids(B, S * T)
    for t in (3, T, 2 * T + 1, S * T - 1):
        changed = ids.clone()
        changed[:, t] = (ids[:, t] + 1) % V
        with torch.no_grad():
            before, after = model(ids).logits, model(changed).logits
        assert torch.equal(before[:, :t], after[:, :t])
        assert not torch.equal(before[:, t], after[:, t])


@pytest.mark.parametrize(
    ("architecture", "reaches"),
    [("rmt", True), ("armt", True), ("llama-window", False), ("llama-full", True)],
)
def test_only_a_window_forgets_the_segments_before(architecture, reaches):
    model, ids = make(architecture), make_ids(B, S, T)
    changed = ids.clone()
    changed[:, 0, 2] = (ids[:, 0, 2] + 1) % V
    with torch.no_grad():
        before, after = model(ids).logits[:, 2:], model(changed).logits[:, 2:]
    assert torch.equal(before, after) is not reaches


def test_a_full_text_is_what_transformers_llama_computes():
    model, ids = make("llama-full"), make_ids(B, S * T)
    with torch.no_grad():
        torch.testing.assert_close(model(ids).logits, as_llama(model)(ids).logits)


def test_a_window_is_what_transformers_llama_computes_of_each_segment():
    model, ids = make("llama-window"), make_ids(B, S, T)
    with torch.no_grad():
        theirs = as_llama(model)(ids.flatten(0, 1)).logits.unflatten(0, (B, S))
        torch.testing.assert_close(model(ids).logits, theirs)


def test_rmt_is_memory_tokens_memory_through_transformers_llama():
    """Two segments by hand: the states of the last N places are what the next segment begins with."""
    model, ids = make("rmt"), make_ids(B, 2, T)
    llama, memory = as_llama(model), model.memory_start.expand(B, N, D)
    out = model(ids)
    for s in range(2):
        x = torch.cat([memory, llama.model.embed_tokens(ids[:, s]), memory], 1)
        hidden = llama.model(inputs_embeds=x).last_hidden_state
        torch.testing.assert_close(out.logits[:, s], llama.lm_head(hidden[:, N : N + T]))
        memory = hidden[:, N + T :]
        torch.testing.assert_close(out.memory_per_segment[s], memory)


@pytest.mark.parametrize("architecture", BASELINES)
def test_a_text_in_two_calls_is_the_text_in_one(architecture):
    model, ids = make(architecture), make_ids(B, S, T)
    with torch.no_grad():
        overall, first = model(ids).logits, model(ids[:, :1])
        rest = model(ids[:, 1:], None, first.memory).logits
    torch.testing.assert_close(rest, overall[:, 1:])


@pytest.mark.parametrize("architecture", BASELINES)
@pytest.mark.parametrize("continues", [False, True])
def test_a_question_reads_the_text_up_to_its_place_and_leaves_nothing(architecture, continues):
    """Asked of memory_at, a question has the logits of the story cut there with the question behind it."""
    model, ids, question = make(architecture), make_ids(B, S, T), make_ids(3, 5, seed=2)
    story, segment = torch.tensor([1, 0, 1]), torch.tensor([2, 0, 3])
    before = make_ids(B, 2, T, seed=3)
    with torch.no_grad():
        out = model(ids, None, model(before).memory if continues else None)
        ids = torch.cat([before, ids], 1) if continues else ids
        memory = out.memory_at(story, segment)
        questions = answer_logits(model, question, torch.ones_like(question), memory)
        assert model(question[:, None], None, memory, write_memory=False).memory is memory
        for q, (b, s) in enumerate(zip(story, segment, strict=True)):
            cut = model(ids[b : b + 1, : s + 1 + 2 * continues]).memory
            alone = model(question[q : q + 1, None], None, cut).logits[0, 0, -1]
            torch.testing.assert_close(questions[q], alone)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("is_given", [True, False])
@pytest.mark.parametrize("n_kept", [1, 3])
def test_kept_logits_are_the_last_of_all(architecture, is_given, n_kept):
    """Of given segments so many segments, of a flat text so many tokens, padded or not."""
    model, ids = make(architecture), make_ids(B, S, T)
    mask = torch.ones_like(ids)
    mask[0, :, T - 2 :] = 0
    ids, mask = (x if is_given else x.flatten(1) for x in (ids, mask))
    with torch.no_grad():
        for given in (None, mask):
            overall, remaining = model(ids, given), model(ids, given, logits_to_keep=n_kept)
            torch.testing.assert_close(remaining.logits, overall.logits[:, -n_kept:], rtol=0, atol=1e-6)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_kept_logits_of_padding_in_every_text_are_zero(architecture):
    model, ids = make(architecture), make_ids(B, 2 * T - 1)
    mask = torch.ones_like(ids)
    mask[:, T - 2 :] = 0
    with torch.no_grad():
        overall, remaining = model(ids, mask), model(ids, mask, logits_to_keep=3)
    assert torch.equal(remaining.logits, torch.zeros(B, 3, V))
    assert torch.equal(remaining.logits, overall.logits[:, -3:])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            {"labels": make_ids(B, T), "logits_to_keep": 3},
            "all tokens, but logits_to_keep=3 .* omit it",
        ),
        ({"logits_to_keep": -2}, "logits_to_keep=-2 and backprop_segments=0 must be 0"),
    ],
)
def test_a_part_of_the_logits_that_cannot_be_kept_is_refused(architecture, call, text):
    with pytest.raises(ValueError, match=text):
        make(architecture)(make_ids(B, T), **call)


@pytest.mark.parametrize("architecture", BASELINES)
def test_a_baseline_starts_and_attends_as_the_lm2_does(architecture):
    model = make(architecture, hidden_size=96, vocab_size=500)
    assert model.model.config._attn_implementation == "sdpa"
    assert float(model.model.embed_tokens.weight.detach().std()) == pytest.approx(1.0, abs=0.05)
    weight = model.model.layers[0].self_attn.q_proj.weight
    assert float(weight.detach().std()) == pytest.approx((3 * 96) ** -0.5, abs=0.003)
    if architecture in WITH_TOKENS:
        assert float(model.memory_start.detach().std()) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("architecture", WITH_SEGMENTS)
def test_a_flat_text_is_cut_where_the_lm2_cuts_it(architecture):
    model, ids = make(architecture), make_ids(B, S, T)
    with torch.no_grad():
        torch.testing.assert_close(model(ids.flatten(1)).logits, model(ids).logits.flatten(1, 2))


@pytest.mark.parametrize("architecture", WITH_TOKENS)
def test_there_are_no_more_than_32_memory_tokens(architecture):
    assert make(architecture, memory_slots=31).config.memory_slots == 31
    assert make(architecture, memory_slots=40).config.memory_slots == 32


@pytest.mark.parametrize("architecture", WITH_TOKENS)
def test_padding_takes_no_place_of_memory_tokens(architecture):
    """The memory behind a padded segment is that behind the same segment unpadded."""
    model, ids = make(architecture), make_ids(B, T)
    padded = torch.cat([ids, torch.zeros(B, 3, dtype=torch.long)], 1)
    mask = torch.cat([torch.ones(B, T), torch.zeros(B, 3)], 1).long()
    with torch.no_grad():
        torch.testing.assert_close(model(padded[:, None], mask[:, None]).memory, model(ids[:, None]).memory)


@pytest.mark.parametrize("architecture", BASELINES)
def test_padding_changes_nothing(architecture):
    """Before, between and behind the tokens of a flat text, and a segment without any."""
    model, ids = make(architecture), make_ids(1, 10)
    mask = torch.tensor([[0, 0, 1, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 0]])
    padded = torch.zeros_like(mask).masked_scatter(mask != 0, ids)
    segments = torch.zeros(1, 3, T, dtype=torch.long)
    remaining = torch.zeros_like(segments)
    segments[:, 1], remaining[:, 1] = ids[:, :T], 1
    with torch.no_grad():
        plain, one = model(ids, labels=ids), model(padded, mask, labels=padded)
        torch.testing.assert_close(one.logits[mask != 0], plain.logits[0])
        torch.testing.assert_close(one.loss, plain.loss)
        assert not one.logits[mask == 0].any()
        torch.testing.assert_close(model(segments, remaining).logits[:, 1], plain.logits[:, :T])
        if architecture in WITH_TOKENS:
            first, second, third = model(segments, remaining).memory_per_segment
            assert torch.equal(first, model.new_memory(1))
            assert torch.equal(second, third)


def test_gradients_of_rmt_run_back_through_all_segments_unless_cut():
    model, ids = make("rmt"), make_ids(B, S, T)

    def reached(**options: int) -> bool:
        model.zero_grad()
        out = model(ids, **options)
        out.logits[:, -1].sum().backward()
        return bool(model.memory_start.grad is not None and model.memory_start.grad.any())

    assert reached()
    assert reached(backprop_segments=S)
    assert not reached(backprop_segments=2)
    given = model.new_memory(B).detach().requires_grad_()
    model(ids, None, given, backprop_segments=S).logits[:, -1].sum().backward()
    assert given.grad is None


@pytest.mark.parametrize("architecture", WITH_SEGMENTS)
def test_a_memory_of_another_batch_is_refused(architecture):
    model = make(architecture)
    with pytest.raises(ValueError, match=r"memory must be \(2, \d+, 1[23]\)"):
        model(make_ids(B, T), None, model.new_memory(3))


def test_a_text_so_far_of_another_batch_is_refused():
    model = make("llama-full")
    with pytest.raises(ValueError, match="memory has 3 texts, but input_ids 2"):
        model(make_ids(B, T), None, model(make_ids(3, T)).memory)


@pytest.mark.parametrize(
    ("memory", "text"),
    [
        (lambda model: make("lm2").new_memory(B), "must be a KeyValueMemory, .* got Tensor"),
        (
            lambda model: model(make_ids(B, 3)).memory,
            "a memory cannot be used with gradient",
        ),
    ],
)
def test_a_text_so_far_that_cannot_be_gone_on_with_is_refused(memory, text):
    model = make("llama-full").train()
    given = memory(model)
    model.activation_checkpointing_enable()
    with pytest.raises(ValueError, match=text):
        model(make_ids(B, T), None, given)


def test_without_a_memory_kept_there_is_none_of_any_segment():
    zero = torch.tensor([0])
    with pytest.raises(ValueError, match="run with write_memory=True"):
        make("llama-full")(make_ids(B, T), write_memory=False).memory_at(zero, zero)
    with pytest.raises(ValueError, match="run the text with output_banks=True, without a cache"):
        make("lm2")(make_ids(B, T), use_cache=True).memory_at(zero, zero)


@pytest.mark.parametrize("architecture", BASELINES)
def test_an_unknown_config_key_is_refused(architecture):
    config = make(architecture).config
    with pytest.raises(ValueError, match="unknown config key vocab_sise; did you mean vocab_size"):
        type(config)(vocab_sise=4)


def test_ids_outside_the_vocabulary_are_refused():
    for architecture in BASELINES:
        with pytest.raises(ValueError, match=r"token ids must be in 0..16, got 17..17"):
            make(architecture)(torch.full((1, 2), V))


def test_under_checkpointing_a_full_text_has_a_gradient_and_no_memory():
    model, ids = make("llama-full").train(), make_ids(B, T)
    plain = torch.autograd.grad(model(ids, labels=ids).loss, model.lm_head.weight)[0]
    model.activation_checkpointing_enable()
    out = model(ids, labels=ids)
    torch.testing.assert_close(torch.autograd.grad(out.loss, model.lm_head.weight)[0], plain)
    with pytest.raises(ValueError, match="run with write_memory=True, without gradient"):
        out.memory_at(torch.tensor([0]), torch.tensor([0]))


def test_an_unknown_architecture_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="unknown architecture 'lstm'; known: lm2, rmt, armt, llama-window"):
        check_architecture("lstm")


@pytest.fixture
def folder(architecture, tmp_path):
    """A checkpoint of an untrained baseline that knows the words of the stories."""
    tokenizer = word_tokenizer(babi_words(("qa1", "qa2", "qa3")))
    make(architecture, vocab_size=len(tokenizer)).save_pretrained(tmp_path / "c")
    tokenizer.save_pretrained(tmp_path / "c")
    return tmp_path / "c"


@pytest.mark.parametrize("architecture", BASELINES)
def test_a_saved_baseline_opens_with_the_same_weights_and_logits(architecture, folder):
    ids = make_ids(B, S, T)
    again = load(str(folder), baselines=True).model
    saved = make(architecture, vocab_size=again.config.vocab_size)
    assert type(again) is type(saved)
    for name, weight in saved.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name
    with torch.no_grad():  # products of weights that lie elsewhere in memory may be rounded differently
        torch.testing.assert_close(again(ids).logits, saved(ids).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("architecture", BASELINES)
def test_a_baseline_is_asked_and_measured_like_an_lm2(architecture, folder, tmp_path, capsys):
    story = tmp_path / "s.txt"
    story.write_text("Mary went to the kitchen.\n")
    assert main(["ask", str(folder), "--story", str(story), "--question", "Where is Mary?"]) == 0
    assert "%" in capsys.readouterr().out
    main(["babi", "--task", "qa1", "--stories", "4", "--out", str(tmp_path)])
    assert main(["eval", str(folder), "--babi", str(tmp_path / "qa1_generated.txt")]) == 0
    assert f"{architecture}, " in capsys.readouterr().out


@pytest.mark.parametrize("architecture", WITH_TOKENS)
def test_a_baseline_has_no_memory_to_look_into_and_says_so(architecture, folder, tmp_path, capsys):
    story = tmp_path / "s.txt"
    story.write_text("Mary went to the kitchen.\n")
    assert main(["trace", str(folder), "--story", str(story), "--out", str(tmp_path / "t")]) == 2
    assert f"is a baseline ({architecture}) and has no memory bank" in capsys.readouterr().err


@pytest.mark.parametrize("architecture", ["rmt"])
def test_a_baseline_that_is_not_whole_is_refused(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    del weights["memory_start"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ValueError, match="not a complete checkpoint .*missing: memory_start"):
        load(str(folder), baselines=True)
