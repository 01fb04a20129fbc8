"""A memory is trained beside a frozen Llama, on streams that are recorded once."""

import json
from dataclasses import replace
from random import Random

import pytest
import torch
from typer.testing import CliRunner

from lm2core import load
from lm2core.cli.main import app
from lm2core.english.lexicon import lexicon
from lm2core.errors import UserError
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.answers import memory_after
from lm2core.training.beside import layout
from lm2core.training.beside.addresses import _draw, seen
from lm2core.training.beside.examples import load_examples, record_examples, save_examples
from lm2core.training.beside.pairs import held_out_pairs, training_pairs
from lm2core.training.beside.recipe import BesideRecipe
from lm2core.training.beside.stories import answer_streams, draw_story
from lm2core.training.beside.streams import Scale
from lm2core.training.beside.train import new_memory_beside, train_beside
from lm2core.training.run_folder import begin
from tests.small_llama import save_llama

TINY = BesideRecipe(
    memory_slots=4,
    memory_width=12,
    first_id=0,
    per_person=2,
    n_names=3,
    per_name=2,
    n_background=40,
    n_content_steps=3,
    n_address_steps=3,
    n_steps=2,
    n_stories=3,
    log_every=1,
)
TEXT = " ".join(
    f"{word} went to the {word} of the" for word in (*lexicon("train").people, *lexicon("train").places)
)


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("llama"), text=TEXT)


@pytest.fixture(scope="module")
def recipe(llama, tmp_path_factory):
    """The tiny recipe, with books of both shares as its background."""
    books = tmp_path_factory.mktemp("books")
    for book in range(9):
        lines = (
            f"In year {book} of the old house number {n} stood quite alone by the river." for n in range(40)
        )
        (books / f"{book}.txt").write_text(" ".join(lines))
    return replace(TINY, llama=str(llama), noise=str(books))


@pytest.fixture(scope="module")
def finished(recipe, tmp_path_factory):
    """The folder of a finished run, and the model that it returned."""
    out = tmp_path_factory.mktemp("runs") / "finished"
    return out, train_beside(recipe, out)


@pytest.fixture(scope="module")
def beside(llama):
    """A new memory, its tokenizer, and recorded examples."""
    torch.manual_seed(1)
    model, tokenizer = new_memory_beside(TINY, str(llama))
    pairs = training_pairs(tokenizer, [TEXT], 0, per_person=2, n_names=2, per_name=3)[:20]
    background = ["It was late.", "Nobody went to the garden, of course, and so it was."]
    examples = record_examples(model, tokenizer, pairs, background, most_tokens=9)
    return model, tokenizer, examples


def test_pairs_of_the_shares_have_no_word_in_common(beside):
    _, tokenizer, _ = beside
    test = lexicon("test")
    text = " ".join([*test.places, *lexicon("train").places])
    pairs = training_pairs(tokenizer, [text], 3, per_person=2, n_names=0, per_name=1)
    held_out = held_out_pairs(tokenizer, 3, per_person=2)
    assert {p.person for p in pairs}.isdisjoint(test.people)
    assert {p.place for p in pairs}.isdisjoint(test.places)
    assert {p.person for p in held_out} <= set(test.people)
    assert {p.place for p in held_out} <= set(test.places)


def test_made_up_names_are_all_different_and_none_is_held_out(beside):
    _, tokenizer, _ = beside
    pairs = training_pairs(tokenizer, [TEXT], 3, per_person=1, n_names=40, per_name=2)
    made_up = {p.person for p in pairs} - set(lexicon("train").people)
    assert len(made_up) >= 0.75 * 40 and all(name.istitle() for name in made_up)
    assert made_up.isdisjoint(lexicon("test").people)


def test_what_follows_another_place_is_told_apart_unless_it_began_with_the_same_tokens(beside):
    *_, examples = beside
    drawn = [_draw(examples, Random(seed)) for seed in range(40)]
    for d in drawn:
        for said, piece, other, n, is_other in zip(
            d.said.tolist(),
            d.piece.tolist(),
            d.other.tolist(),
            d.other_said.tolist(),
            d.is_other.tolist(),
            strict=True,
        ):
            begun, own = examples.targets_RP[other, :n], examples.targets_RP[said, :piece]
            assert is_other == (begun.tolist() != own.tolist())
            assert examples.pairs[said].person == examples.pairs[other].person
            assert 1 <= n <= examples.n_pieces_R[other]
    assert {bool(x) for d in drawn for x in d.is_other} == {True, False}


def test_recorded_streams_are_those_of_the_model_in_place(beside):
    model, tokenizer, examples = beside
    config, names = model.config, [f"blocks.{tap}.hook_resid_pre" for tap in model.config.memory_taps]
    ids = tokenizer(examples.pairs[7].statement, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        _, cache = model.run_with_cache(ids[:, None], names_filter=names)
    tapped = torch.stack([cache[name] for name in names], dim=2)[0]
    row = examples.statements.of_rows(torch.tensor([7]))
    assert row.ids_RT.tolist() == ids.tolist()
    torch.testing.assert_close(row.tapped_RTSD[0].float(), tapped, rtol=2e-3, atol=2e-3)
    assert config.memory_blocks == (config.num_hidden_layers - 1,)


def test_a_prompt_is_joined_where_its_answer_begins(beside):
    model, tokenizer, examples = beside
    pair, at = examples.pairs[4], model.config.num_hidden_layers - 1
    ids = tokenizer(pair.prompt, return_tensors="pt")["input_ids"]
    names = [f"blocks.{at}.hook_resid_pre", f"blocks.{at}.hook_attn_out"]
    with torch.no_grad():
        _, cache = model.run_with_cache(ids[:, None], names_filter=names)
    mid = sum(cache[name][0, -1] for name in names)
    torch.testing.assert_close(examples.prompts.joined_RPD[4, 0], mid, rtol=1e-4, atol=1e-4)


def test_the_targets_are_the_answer_and_what_ends_it(beside):
    _, tokenizer, examples = beside
    for i, pair in enumerate(examples.pairs):
        n = int(examples.n_pieces_R[i])
        assert tokenizer.decode(examples.targets_RP[i, :n]).strip() == pair.place
        assert tokenizer.decode(examples.targets_RP[i, n]) == "."
        first = int(examples.first_R[i])
        assert (
            examples.statements.ids_RT[i, first : first + n].tolist() == examples.targets_RP[i, :n].tolist()
        )


def test_saved_examples_are_loaded_as_they_were(beside, tmp_path):
    _, _, examples = beside
    save_examples(examples, tmp_path / "streams.safetensors")
    again = load_examples(tmp_path / "streams.safetensors", examples.pairs)
    assert torch.equal(again.statements.tapped_RTSD, examples.statements.tapped_RTSD)
    assert torch.equal(again.prompts.places_RP, examples.prompts.places_RP)
    assert again.by_person == examples.by_person


@pytest.mark.parametrize("stage", ["address", "content", "gate"])
def test_a_stage_changes_only_what_is_its_own(beside, stage):
    model, _, examples = beside
    layout.initialise(model, Scale.of(examples.statements))
    mem = layout.memory_of(model)
    before = {name: p.detach().clone() for name, p in mem.named_parameters()}
    for p in mem.parameters():
        p.grad = torch.ones_like(p)
    layout.keep_only(model, getattr(layout, f"{stage}_masks")(model))
    torch.optim.SGD(mem.parameters(), lr=1.0).step()
    moved = {name: p.detach() != before[name] for name, p in mem.named_parameters()}
    changed = {name for name, is_moved in moved.items() if is_moved.any()}
    gates = {"gate_out.weight", "gate_out.bias", "gate_forget.weight", "gate_forget.bias"}
    assert ("path.into.weight" in changed) == (stage == "address")
    assert ("path.back.weight" in changed) == (stage == "content")
    assert (gates <= changed) == (stage == "gate")
    maps = {"address": {"route_q", "gate_in", "gate_forget"}, "content": {"content"}}
    rows = moved["token_proj.weight"].any(1)
    own = {name for name in mem.token_maps if rows[layout.rows_of(mem, name)].any()}
    assert own == maps.get(stage, {"gate_in", "gate_forget"})


def test_a_person_gets_a_slot_of_its_own_and_keeps_it(llama, beside):
    width, n = 48, 3
    torch.manual_seed(4)
    model, _ = new_memory_beside(replace(TINY, memory_width=width, memory_slots=16), str(llama))
    layout.initialise(model, Scale.of(beside[2].statements))
    mem, parts = layout.memory_of(model), layout.Parts.of(width)
    people = torch.zeros(n, width)
    people[:, parts.context] = 20 * torch.eye(16)[:n]
    people[:, parts.constant] = layout.CONSTANT
    addresses = torch.eye(15, 16)  # in so few dimensions random maps would make some people alike
    mem.q_proj.weight.data[:15, parts.context] = addresses
    mem.token_proj.weight.data[layout.rows_of(mem, "route_q")][:15, parts.context] = addresses
    layout.tell_apart(model, people, people)
    maps = mem.token_proj.weight.data
    for name, open_or_shut in (("gate_in", 9.0), ("gate_forget", -9.0)):  # everything is written
        maps[layout.rows_of(mem, name)] = 0
        maps[layout.rows_of(mem, name), parts.constant] = open_or_shut
    chosen, bank = [], model.new_memory(1)
    mem.hook_write_pattern.add_hook(lambda pattern, hook: chosen.append(int(pattern[0, 0].argmax())))
    for person in (*range(n), *range(n)):
        bank = mem.write(people[None, person : person + 1], bank, None)
    mem.hook_write_pattern.remove_hooks()
    assert chosen[:n] == chosen[n:]
    assert len(set(chosen)) == n


def test_folding_the_scale_into_the_path_leaves_what_the_memory_sees(beside):
    model, _, examples = beside
    scale = Scale.of(examples.statements)
    layout.initialise(model, scale)
    with torch.no_grad():
        before = seen(model, examples.statements.scaled(scale))
        layout.fold(model, scale)
        after = seen(model, examples.statements)
    torch.testing.assert_close(before, after, rtol=5e-2, atol=5e-3)


def test_recorded_streams_give_the_logits_of_the_model_in_place(beside):
    """All of the training's arithmetic, against the model that comes out."""
    model, tokenizer, examples = beside
    scale = Scale.of(examples.statements)
    layout.initialise(model, scale)
    layout.fold(model, scale)
    story = draw_story(examples, Random(2), n_sentences=5, background=0.4, n_questions=1)
    assert min(story.rows) < 0 <= max(story.rows)
    with torch.no_grad():
        streams, rows, _ = answer_streams(model, examples, [story])
        bank = model.new_memory(1)
        for row in story.rows:
            of = examples.statements if row >= 0 else examples.background
            one = of.of_rows(torch.tensor([row if row >= 0 else -1 - row]))
            bank = model(one.ids_RT[:, None], one.mask_RT[:, None], bank).memory
        prompt = tokenizer(examples.pairs[int(rows[-1])].prompt, return_tensors="pt")["input_ids"]
        logits = model(prompt[:, None], memory=bank, write_memory=False).logits[0, 0, -1]
        without = model(prompt[:, None], write_memory=False).logits[0, 0, -1]
    torch.testing.assert_close(model.lm_head(streams[-1, 0]), logits, rtol=1e-2, atol=1e-2)
    assert (logits - without).abs().max() > 0.1


def test_a_run_ends_as_a_memory_that_opens_with_its_llama_and_answers(llama, finished):
    out, trained = finished
    lm = load(str(out))
    own, theirs = (model.model.layers[-1].mem.token_proj.weight for model in (lm.model, trained))
    assert torch.equal(own, theirs.half().float())  # half the bytes
    stages = [json.loads(line)["stage"] for line in (out / "metrics.jsonl").read_text().splitlines()]
    assert list(dict.fromkeys(stages)) == ["addresses", "contents", "stories"]
    frozen = LM2ForCausalLM.from_pretrained(str(llama), memory_slots=3)
    assert torch.equal(lm.model.model.layers[1].mlp.up_proj.weight, frozen.model.layers[1].mlp.up_proj.weight)
    assert memory_after(lm, ["Mary went to the garden."]).shape == (1, 4, 12)


def test_a_run_that_was_cut_short_goes_on_with_its_stage(recipe, finished, tmp_path):
    whole, _ = finished
    files = ("streams.safetensors", "held-out-streams.safetensors", "stage-addresses.safetensors")
    for name in (*files, "training.json"):
        (tmp_path / name).write_bytes((whole / name).read_bytes())
    train_beside(recipe, tmp_path, resume=True)
    stages = [json.loads(line)["stage"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert "addresses" not in stages and "stories" in stages


def test_a_run_is_not_resumed_with_another_seed(llama, tmp_path):
    recipe = replace(TINY, llama=str(llama))
    for name in ("streams", "held-out-streams"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    begin(recipe, tmp_path)
    with pytest.raises(UserError, match="was started with seed=0, not 8"):
        train_beside(replace(recipe, seed=8), tmp_path, resume=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"memory_slots": 5}, "5 slots; a memory of this preset has at most 4"),
        ({"memory_width": 60}, "16 wide; this preset needs a Llama of at least 20"),
    ],
)
def test_sizes_that_the_parts_of_the_width_do_not_allow_are_refused(llama, changes, says):
    with pytest.raises(UserError, match=says):
        new_memory_beside(replace(TINY, **changes), str(llama))


def test_a_background_without_enough_sentences_is_refused(llama, tmp_path):
    noise = tmp_path / "noise.txt"
    noise.write_text("It rained all day long, and nobody went out of the old house again.\n" * 3)
    with pytest.raises(UserError, match="sentence"):
        train_beside(replace(TINY, llama=str(llama), noise=str(noise)), tmp_path / "run")


def test_settings_that_this_training_does_not_have_are_refused_not_ignored(tmp_path):
    options = ["--preset", "smollm2-stories", "--out", str(tmp_path / "a"), "--architecture", "rmt"]
    run = CliRunner().invoke(app, ["train", *options])
    assert "has no --architecture; omit it" in str(run.exception)


def test_what_cannot_be_trained_beside_is_one_clear_line(tmp_path):
    run = CliRunner().invoke(
        app, ["train", "--preset", "smollm2-stories", "--out", str(tmp_path / "a"), "--bf16"]
    )
    assert run.exit_code != 0
    assert "trains a memory beside a frozen Llama and has no --bf16" in str(run.exception or run.output)
