"""What is trained on text: a tokenizer of one's own, a Llama with a memory, a baseline, the presets."""

import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaConfig, LlamaForCausalLM

from lm2core.baselines.architectures import ARCHITECTURES
from lm2core.model.causal_lm import LM2ForCausalLM
from lm2core.reading.checkpoints import load
from lm2core.text.bpe import n_ids, open_tokenizer
from lm2core.text.tokenizer import word_tokenizer
from lm2core.training.text import train_text
from lm2core.training.text_models import MODELS
from lm2core.training.text_recipe import TEXT_PRESETS
from tests.lm2core.training.text.runs import SHORT, lines, same_weights


def test_a_given_tokenizer_is_used_and_kept(straight, text, tmp_path):
    tokenizer = open_tokenizer(str(straight[0]))
    tokenizer.add_tokens(["zzz"])
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    recipe = replace(SHORT, text=text, tokenizer=str(tmp_path / "tokenizer"), n_steps=1)
    model = train_text(recipe, tmp_path / "run")
    assert model.config.vocab_size == n_ids(tokenizer) == n_ids(open_tokenizer(str(tmp_path / "run")))


def test_a_tokenizer_that_cannot_join_documents_is_refused(text, tmp_path):
    word_tokenizer(["a", "b"]).save_pretrained(tmp_path / "words")
    recipe = replace(SHORT, text=text, tokenizer=str(tmp_path / "words"))
    with pytest.raises(
        ValueError, match="'.*words' has no end-of-text token to join documents; set its eos_token"
    ):
        train_text(recipe, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.fixture(scope="module")
def llama(straight, tmp_path_factory) -> str:
    """A folder with a small Llama and its tokenizer."""
    out, _ = straight
    folder = tmp_path_factory.mktemp("llama")
    tokenizer = open_tokenizer(str(out))
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 8, "intermediate_size": 14, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = LlamaConfig(vocab_size=n_ids(tokenizer), max_position_embeddings=9, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    return str(folder)


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (["tokenizer"], "give a folder, or omit it to train one"),
        (["tokenizer", "llama"], "give a folder, or omit it to use the Llama's own"),
        (["llama"], "give the Llama's tokenizer: --tokenizer FOLDER"),
    ],
)
def test_what_to_do_without_a_tokenizer_depends_on_what_was_named(llama, text, tmp_path, names, advice):
    shutil.copytree(llama, tmp_path / "bare", ignore=shutil.ignore_patterns("tokenizer*"))
    named = dict.fromkeys(names, str(tmp_path / "bare")) | {"memory_slots": 5 if "llama" in names else None}
    with pytest.raises(ValueError, match=f"cannot open tokenizer .*bare.*; {advice}$"):
        train_text(replace(SHORT, text=text, **named), tmp_path / "run")


def test_a_run_that_lost_its_tokenizer_does_not_go_on(straight, text, tmp_path):
    shutil.copytree(straight[0], tmp_path / "run", ignore=shutil.ignore_patterns("tokenizer*"))
    recipe = replace(SHORT, text=text, n_steps=SHORT.n_steps + 1)
    with pytest.raises(ValueError, match=r"cannot open .*; restore the tokenizer\* files of the run, or"):
        train_text(recipe, tmp_path / "run", resume=True)


@pytest.mark.parametrize("frozen", [True, False])
def test_a_llama_gets_a_memory_and_only_that_is_trained_if_asked(llama, text, tmp_path, frozen):
    recipe = replace(SHORT, text=text, llama=llama, memory_slots=5, freeze_backbone=frozen)
    model = train_text(recipe, tmp_path / "run")
    before = load_file(f"{llama}/model.safetensors")
    after = load_file(tmp_path / "run" / "model.safetensors")
    assert all(torch.equal(after[name], before[name]) for name in before) == frozen
    fresh = LM2ForCausalLM.from_pretrained(llama, memory_slots=5).state_dict()
    values = "model.layers.1.mem.bank_proj.weight"  # zero at first
    assert not torch.equal(after[values], fresh[values])
    assert model.config.memory_slots == load(str(tmp_path / "run")).model.config.memory_slots == 5


def test_a_llama_is_cut_into_quarters_of_its_context_that_see_the_rest_of_it(llama, text, tmp_path):
    context = LlamaConfig.from_pretrained(llama).max_position_embeddings
    recipe = replace(SHORT, text=text, llama=llama, memory_slots=5, n_steps=1)
    config = train_text(recipe, tmp_path / "run").config
    assert config.segment_length == context // 4
    assert config.segment_length + config.attention_window + config.attention_sinks == context
    chosen = {"segment_length": 3, "attention_window": 2, "memory_layers": (1,)}
    config = train_text(replace(recipe, **chosen), tmp_path / "chosen").config
    assert {name: getattr(config, name) for name in chosen} == chosen


def test_a_new_model_has_the_chosen_sizes(text, tmp_path):
    chosen = {"segment_length": 6, "attention_window": 3, "memory_slots": 5}
    config = train_text(replace(SHORT, text=text, n_steps=1, **chosen), tmp_path / "run").config
    assert {name: getattr(config, name) for name in chosen} == chosen


OF_A_LLAMA = pytest.mark.parametrize(
    ("changes", "text_of_error"),
    [
        ({"freeze_backbone": True}, "needs a Llama; add --llama FOLDER"),
        ({"model": "llama"}, "preset 'llama' gives a Llama a memory; add --llama FOLDER"),
        ({"llama": "given"}, "needs a size for its new memory; add --memory-slots N"),
        (
            {"llama": "given", "memory_slots": 3, "attention_window": 99},
            "a segment of 2 tokens, 99 before it and 4 sinks are more than this Llama's context of 9; choose",
        ),
        ({"architecture": "rmt", "attention_window": 4}, "rmt has no memory of chosen size and no attention"),
    ],
    ids=["freeze", "preset", "no slots", "window", "baseline"],
)


def test_a_model_that_is_no_llama_is_not_started_from(straight, text, tmp_path):
    out, _ = straight
    with pytest.raises(ValueError, match="is a 'lm2' model; give a Llama's folder, file or id"):
        train_text(replace(SHORT, text=text, llama=str(out), memory_slots=4), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@OF_A_LLAMA
def test_options_of_a_llama_that_do_not_fit_are_refused(llama, text, tmp_path, changes, text_of_error):
    if "llama" in changes:
        changes = changes | {"llama": llama}
    with pytest.raises(ValueError, match=text_of_error):
        train_text(replace(SHORT, text=text, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", TEXT_PRESETS)
def test_every_preset_has_segments_that_read_what_was_written(name):
    recipe = TEXT_PRESETS[name]
    assert recipe.n_segments > 1
    assert recipe.backprop_segments != 1
    if name == "llama":  # its sizes are the Llama's
        return
    assert MODELS[recipe.model](vocab_size=8).segment_length == {"text-tiny": 64, "base": 512}.get(
        name, 2_048
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES[1:])
def test_a_baseline_is_trained_on_text_with_checkpointing_and_resumed(architecture, text, tmp_path):
    recipe = replace(SHORT, text=text, architecture=architecture, checkpointing=True)
    model = train_text(recipe, tmp_path / "run")
    plain = train_text(replace(recipe, checkpointing=False), tmp_path / "plain")
    assert same_weights(model, plain, rtol=0, atol=1e-5)
    shutil.rmtree(tmp_path / "run" / "checkpoint-6")
    assert same_weights(model, train_text(recipe, tmp_path / "run", resume=True))
    first, last = lines(tmp_path / "plain", "eval_loss")
    assert last < first


def test_backpropagation_is_cut_where_a_memory_is_handed_on_only(text, tmp_path):
    recipe = replace(SHORT, text=text, backprop_segments=1, n_steps=2)
    train_text(replace(recipe, architecture="rmt"), tmp_path / "rmt")
    with pytest.raises(ValueError, match="llama-full has no memory at which to truncate gradients; omit"):
        train_text(replace(recipe, architecture="llama-full"), tmp_path / "full")


def test_a_llama_gets_an_lm2_s_memory_only(text, tmp_path):
    with pytest.raises(ValueError, match="--llama gives a Llama LM2's memory, not rmt"):
        train_text(
            replace(SHORT, text=text, llama="some/llama", tokenizer="", architecture="rmt"), tmp_path / "r"
        )
