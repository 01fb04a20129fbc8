"""The stage as one file: what it holds, what it asks, what it refuses."""

import json
import re

import pytest
from typer.testing import CliRunner

from lm2core.errors import UserError
from lm2viz.cli.main import app
from lm2viz.lessons import LESSONS
from lm2viz.stage.classroom import STORY, write_classroom
from lm2viz.stage.modules import with_imports
from lm2viz.stage.page import probes_for, stage_page, suggested_questions


def test_the_command_writes_a_page_that_asks_no_other_machine_for_anything(tmp_path):
    story, out = tmp_path / "story.txt", tmp_path / "page.html"
    story.write_text("Sandra went to the garden.\nMary went to the office.\n")
    arguments = ["classroom", "babi-qa1-10", "--out", str(out), "--story", str(story)]
    result = CliRunner().invoke(app, [*arguments, "--question", "Where is Mary?"])
    assert result.exit_code == 0 and "2 sentences" in result.output
    page = out.read_text()
    assert not re.search(r'src=|href="(?!#)|https?://(?!www\.w3\.org/)', page)
    payload = json.loads(re.search(r'id="payload">(.*?)</script>', page)[1])
    assert [question["text"] for question in payload["questions"]] == ["Where is Mary?"]
    assert payload["questions"][0]["steps"][-1]["answers"][0][0] == "office"
    lessons = json.loads(re.search(r'id="lessons">(.*?)</script>', page)[1])
    assert [lesson["title"] for lesson in lessons] == [lesson.title for lesson in LESSONS]


def test_text_of_a_user_cannot_end_the_script_that_holds_it():
    page = stage_page("<b>", "</title><script>", {"schema": 1, "text": "</script><script>alert(1)</script>"})
    assert page.count("</script>") == 4 and "alert(1)</script>" not in page
    assert "<b>" not in page and "</title><script>" not in page


def test_every_module_comes_with_those_that_it_imports():
    assert '"lm2_math"' in with_imports("page") and '"stage"' in with_imports("component")
    assert "<" not in with_imports("page")


def test_questions_are_of_people_and_things_whose_place_the_story_tells():
    told = ("Mary went to the kitchen.", "Mary took the milk there.", "John moved to the garden.")
    assert suggested_questions(told) == ["Where is Mary?", "Where is the milk?", "Where is John?"]
    assert suggested_questions(STORY)[0] == "Where is Mary?"
    assert suggested_questions(("It rains.",)) == ["Where is Mary?"]


def test_in_other_words_questions_are_of_everybody_who_is_named():
    told = ("Irene took the violin to the attic.", "Later, Covaket met Irene.", "The weather was fine.")
    assert suggested_questions(told) == ["Where is Irene?", "Where is Covaket?"]


def test_things_have_probes_of_their_own():
    probes = {"qa1": [{"fact": "place of Mary"}], "qa2": [{"fact": "holder of milk"}]}
    assert probes_for(probes, ["Mary went to the kitchen."]) == probes["qa1"]
    assert probes_for(probes, ["Mary took the milk."]) == probes["qa2"]


def test_a_story_that_fits_no_screen_is_refused_before_it_is_read(shipped_lm, tmp_path):
    with pytest.raises(UserError, match="the story has 61 sentences; a stage shows at most 60"):
        write_classroom(tmp_path / "page.html", shipped_lm, ["Mary went to the kitchen."] * 61)
    assert not list(tmp_path.iterdir())
