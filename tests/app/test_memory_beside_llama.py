"""A memory beside a Llama on the pages: offered where its Llama is, asked in English, named by the lens."""

import json
import shutil

import pytest

from app.loaders import models, stories, traces
from app.loaders.folders import name_folder
from lm2core.reading import checkpoints
from lm2core.reading.backbones import cached_backbone
from lm2core.reading.memory_weights import save_memory
from lm2viz.causal.slot_lens import slot_lens, words_by_step
from tests.app.pages import open_page, shown_verdict
from tests.small_llama import save_llama, small_tokenizer, with_memory

SEED, N_SENTENCES = 2, 10


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return save_llama(tmp_path_factory.mktemp("llama") / "llama")


@pytest.fixture
def name(llama, tmp_path, monkeypatch):
    """The name that the app gives a saved memory in an allowed folder."""
    save_memory(with_memory(llama), small_tokenizer(), tmp_path / "memory", backbone=llama)
    monkeypatch.setenv("LM2_CHECKPOINTS", str(tmp_path))
    return name_folder("memory")


def test_one_that_ships_is_offered_where_its_llama_is_and_not_elsewhere(llama, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setenv("LM2_CACHE", str(tmp_path / "cache"))
    save_memory(with_memory(llama), small_tokenizer(), tmp_path / "shipped" / "stories", backbone="smollm2")
    assert checkpoints.memories_at_hand() == [] and models.missing_memories() == ["stories"]
    shutil.copytree(llama, cached_backbone("smollm2"))
    assert checkpoints.memories_at_hand() == ["stories"] and checkpoints.shipped_models() == []
    assert models.missing_memories() == []
    assert open_page("story").selectbox(key="model").options == ["stories"]  # no other ships here
    assert "stories" in models.model_names() and "stories" in models.comparable_names()


def test_the_story_page_tells_an_english_story_and_the_words_of_its_slots(name):
    page = open_page("story", model=name, source="Generated", seed=str(SEED), step="4", view="Slot words")
    assert page.selectbox(key="task").options == ["one-fact"]
    story = stories.generate_story("one-fact", SEED)
    assert len(story.sentences) == N_SENTENCES
    trace, lm = traces.load_trace(name, story.sentences), models.load_model(name)
    asked = page.text_input(key="question").placeholder
    assert asked in {question.text for question in story.questions}
    expected = slot_lens(lm, trace, asked, n_sentences=4)
    table = page.dataframe[0].value
    rows = expected.by_attention()
    assert list(table["slot"]) == [row.slot for row in rows]
    assert [said.removesuffix(" ?") for said in table["read alone, it says"]] == [row.word for row in rows]
    assert list(table["fresh slot"]) == pytest.approx([row.control for row in rows])
    assert f"{asked} … The model answers {expected.answer}" in shown_verdict(page)
    assert "Facts" not in page.segmented_control(key="view").options  # no slot holds the same in all stories


def test_a_link_to_a_view_that_it_lacks_opens_another(name):
    page = open_page("story", model=name, source="Generated", seed=str(SEED), view="Facts")
    assert page.segmented_control(key="view").value == "Last sentence"


def test_the_stage_names_slots_by_the_lens_and_asks_about_everybody_who_is_named(name):
    told = ("Later, Covaket met Irene at the attic.", "Irene went to the cellar.")
    page = open_page(None, model=name, source="Own", own=stories.store_story(told))
    (component,) = page.get("bidi_component")
    (data,) = json.loads(component.proto.json)
    payload = data["payload"]
    assert [question["text"] for question in payload["questions"]] == ["Where is Covaket?", "Where is Irene?"]
    assert payload["named_by"] == "lens" and data["engine"] is None
    words = words_by_step(models.load_model(name), traces.load_trace(name, told), "Where is Covaket?")
    for step, said in zip(payload["steps"], words, strict=True):
        assert {each["slot"]: each["value"] for each in step["names"]} == {s: w for s, (w, _) in said.items()}
    assert "right" not in payload["questions"][0]["steps"][-1]
    assert payload["sentences"][0]["words"][0] == "(start)"


@pytest.mark.parametrize("page", ["gated_update", "attention", "interventions"])
def test_pages_of_one_story_take_it(name, page):
    shown = open_page(page, model=name, source="Generated", seed=str(SEED), step="3")
    assert not shown.error and not shown.exception
