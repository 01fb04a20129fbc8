"""The first page: it sends the stage of the chosen story, and the model where a browser can run it."""

import json

import pytest

from app.loaders import stage, stories
from app.loaders.folders import name_folder
from lm2core.errors import UserError
from lm2core.reading.checkpoints import load
from lm2core.text.tokenizer import word_tokenizer
from lm2viz.stage.weights import model_json
from tests.app.pages import open_page
from tests.conftest import make_model

STORY = "1-one-fact"


def sent(page):
    """What the page sends to the stage."""
    (component,) = page.get("bidi_component")
    (data,) = json.loads(component.proto.json)
    return data


def test_the_first_page_sends_the_story_its_questions_and_the_model():
    data = sent(open_page(None, example=STORY))
    payload = data["payload"]
    assert payload["sentences"][0]["text"] == "Mary went to the kitchen."
    assert payload["questions"][0]["text"] == "Where is Mary?"
    assert payload["model"]["name"] == "babi-qa1-10"
    assert data["engine"]["model"] == model_json(load("babi-qa1-10"))
    assert data["start"] == {
        "step": 0,
        "question": 0,
        "slot": None,
        "autoplay": True,
        "tour": False,
    }


def test_a_link_opens_its_step_and_its_question_and_does_not_play():
    data = sent(open_page(None, example=STORY, step="4", slot="13", question="Where is Sandra?"))
    assert (data["start"]["step"], data["start"]["slot"]) == (4, 13) and not data["start"]["autoplay"]
    asked = [question["text"] for question in data["payload"]["questions"]]
    assert asked[data["start"]["question"]] == "Where is Sandra?"


def test_a_step_beyond_the_story_is_its_end():
    assert sent(open_page(None, example=STORY, step="99"))["start"]["step"] == 8


def test_a_former_link_to_a_view_of_the_story_opens_that_page():
    page = open_page(None, example=STORY, step="3", view="Whole bank")
    assert not page.get("bidi_component")
    assert page.slider(key="step").value == 3


def test_the_tour_is_asked_for_by_the_link():
    assert sent(open_page(None, example=STORY, tour="true"))["start"]["tour"]


def test_a_question_with_unknown_words_is_one_line():
    page = open_page(None, example=STORY, question="Where is Zoe?")
    (line,) = page.info
    assert "unknown words: Zoe" in line.value.replace("\\", "")


def test_a_model_that_a_browser_cannot_run_is_drawn_without_edits(monkeypatch):
    def refuse(lm):
        raise UserError("too large")

    stage.load_engine.clear()
    monkeypatch.setattr(stage, "model_json", refuse)
    data = sent(open_page(None, example=STORY, model="babi-qa1-3"))
    assert data["engine"] is None and data["payload"]["steps"]
    stage.load_engine.clear()


@pytest.mark.parametrize("task", ["qa1", "qa2", "qa5"])
def test_generated_stories_are_drawn_with_names_for_what_slots_hold(task):
    payload = sent(open_page(None, source="Generated", task=task, seed="3"))["payload"]
    assert payload["steps"][-1]["names"]


def test_a_model_of_other_words_is_asked_a_question_that_is_typed(tmp_path, monkeypatch):
    """A model trained on a user's own stories knows no "Where is Mary?"."""
    monkeypatch.setenv("LM2_CHECKPOINTS", str(tmp_path))
    tokenizer = word_tokenizer(["rex", "naps", "in", "the", "shed", ".", "where", "does", "sleep", "?"])
    tokenizer.save_pretrained(tmp_path / "pets")
    make_model(vocab_size=len(tokenizer), hidden_size=12).save_pretrained(tmp_path / "pets")
    link = {"model": name_folder(str(tmp_path / "pets")), "source": "Own"}
    link["own"] = stories.store_story(("Rex naps in the shed.",))
    page = open_page(None, **link)
    assert "Type a question in the words" in page.info[0].value
    page.text_input(key="question").set_value("Where does Rex sleep?").run()
    assert not page.info and not page.exception
    (asked,) = sent(page)["payload"]["questions"]
    assert asked["text"] == "Where does Rex sleep?"
