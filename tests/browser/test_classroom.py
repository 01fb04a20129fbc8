"""The stage as one file: opened from disk with the network cut, it reads, asks and edits by itself."""

import json
import re

import pytest
from playwright.sync_api import Page, expect

from lm2core.reading.checkpoints import load
from lm2viz.causal import ClampGate, Freeze, to_json
from lm2viz.lessons.shipped import measured_lessons
from lm2viz.stage.classroom import STORY, classroom
from lm2viz.stage.modules import with_imports
from lm2viz.stage.page import probes_for, suggested_questions
from lm2viz.stage.payload import trace_payload
from lm2viz.stage.shipped import stage_probes
from lm2viz.stage.story_payload import story_payload
from tests.browser.conftest import watched_page
from tests.conftest import ROOT
from tests.edited_traces import edited_trace
from tests.json_values import differences

MODEL = "babi-qa1-10"
THINGS = ("Mary went to the kitchen.", "Mary took the milk there.", "John moved to the garden.")
FULL = re.compile(r"100.%")
ROUNDING = 2.1e-4  # of four digits on either side, and of float32
RUN = """async ([module, sentences, questions, told, edits = []]) => {
    const data = JSON.parse(document.getElementById("engine").textContent);
    const {entry} = await import(URL.createObjectURL(new Blob([module], {type: "text/javascript"})));
    return entry.makeEngine(data.model, data.probes, [told]).run(sentences, questions, edits);
}"""


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("classroom") / "page.html"
    path.write_text(classroom(load(MODEL)), encoding="utf-8")
    return path


@pytest.fixture
def page(context, file):
    """The file with the network cut, at its fifth sentence."""
    with watched_page(context, width=1366, height=768) as page:
        context.set_offline(True)
        page.goto(f"{file.as_uri()}#step=5")
        yield page
        context.set_offline(False)


def slot(page: Page, number: int):
    return page.locator(f".stage button[data-slot='{number}']")


@pytest.mark.parametrize("sentences", [STORY, THINGS], ids=["people", "things"])
def test_the_browser_makes_the_payload_that_python_makes(page, sentences):
    lm = load(MODEL)
    questions = suggested_questions(sentences)
    probes = probes_for(stage_probes(lm), sentences)
    expected = story_payload(lm, sentences, questions, probes=probes)
    made = page.evaluate(RUN, [with_imports("engine"), list(sentences), questions, expected])
    assert differences(expected, made, ROUNDING) == []


def test_what_words_write_under_edits_is_what_python_records(page):
    edits = [ClampGate(gate="in", value=0.5, slots=(13,), step=5), ClampGate(gate="in", value=0.0, step=2)]
    edits += [Freeze((9,), from_step=3)]
    told = json.loads(page.locator("#payload").text_content())
    made = page.evaluate(RUN, [with_imports("engine"), list(STORY), [], told, json.loads(to_json(edits))])
    expected = trace_payload(edited_trace(load(MODEL), STORY, edits))
    writes = ([step["writes"] for step in each["steps"]] for each in (expected, made))
    assert differences(*writes, ROUNDING) == []


def test_a_slot_is_erased_and_the_answer_turns_where_the_control_s_does_not(page):
    expect(page.locator(".stage .answers").first).to_contain_text("hallway")
    slot(page, 13).click()
    page.get_by_role("button", name="Erase this slot").click()
    verdict = r"Slot 13 erased after sentence 5: hallway .100.%. → (?!hallway)\w+.*Control.*: hallway .100.%"
    expect(page.get_by_role("status")).to_contain_text(re.compile(verdict))
    expect(page.locator(".stage .answers").first).not_to_contain_text(FULL)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".stage .answers").first).to_contain_text(FULL)


def test_a_slot_hidden_from_the_question_is_not_read_and_the_memory_stays(page):
    slot(page, 13).click()
    expect(page.locator(".flow .read[data-slot='13']:not([hidden])")).to_have_count(1)
    page.get_by_role("button", name="Hide it from the question").click()
    verdict = r"Slot 13 hidden from the question: hallway .100.%. → .+Control.*: hallway .100.%"
    expect(page.get_by_role("status")).to_contain_text(re.compile(verdict))
    expect(page.locator(".flow .read[data-slot='13']:not([hidden])")).to_have_count(0)
    expect(slot(page, 13)).to_contain_text("Mary: hallway")


def test_own_sentences_are_read_and_asked_and_unknown_words_lose_nothing(page):
    page.get_by_text("Your own sentences").click()
    text = page.get_by_role("textbox", name="Your own sentences")
    text.fill("Sandra went to the office.\nBob went to Paris.")
    page.get_by_role("textbox", name="Question").fill("Where is Sandra?")
    page.get_by_role("button", name="Read this story").click()
    expect(page.get_by_text("Unknown words: Bob, Paris.")).to_be_visible()
    expect(text).to_have_value("Sandra went to the office.\nBob went to Paris.")
    text.fill("Sandra went to the office.\nMary went to the garden.")
    page.get_by_role("button", name="Read this story").click()
    expect(page.locator(".stage .sentences")).to_contain_text("Sandra went to the office.")
    expect(page.locator(".stage .answers").first).to_contain_text("office")
    expect(page.locator(".right-answer")).to_have_text("")  # the page does not know what is true in it


def test_the_file_in_the_documents_is_what_the_command_writes_now(file):
    """If it is not: lm2 classroom babi-qa1-10 --out docs/classroom.html"""
    data = re.compile(r'(?<=id="payload">).*?(?=</script>)')
    shipped, made = (path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "classroom.html", file))
    assert data.sub("", shipped) == data.sub("", made)
    payloads = [json.loads(data.search(text)[0]) for text in (shipped, made)]
    assert differences(*payloads, ROUNDING) == []


def test_keys_step_through_the_story_before_anything_is_clicked(page):
    position = page.locator(".stage .where")
    expect(position).to_have_text("Sentence 5 of 6")
    page.keyboard.press("ArrowRight")
    expect(position).to_have_text("Sentence 6 of 6")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(position).to_have_text("Sentence 4 of 6")


def test_a_stop_of_the_tour_has_an_address(page):
    page.get_by_role("link", name="Guided tour").click()
    tour = page.get_by_role("region", name="Guided tour")
    expect(tour).to_contain_text("1 of 5")
    tour.get_by_role("button", name="Next stop").click()
    expect(tour).to_contain_text("2 of 5")
    expect(page).to_have_url(re.compile("#tour=2$"))
    page.reload()
    expect(tour).to_contain_text("2 of 5")


def test_a_lesson_is_predicted_then_told_with_its_control_and_seen_live(page):
    page.get_by_role("link", name="Lessons").click()
    expect(page.get_by_text("Lesson 1 of 8 \u00b7 0 answered")).to_be_visible()
    page.get_by_role("button", name="Lesson 7").click()
    told = measured_lessons(load(MODEL))[6]
    expect(page.get_by_role("heading", name=told["title"])).to_be_visible()
    measured = [f"{100 * told[name]['value']:.1f}\u00a0%" for name in ("value", "control")]
    assert measured[0] not in page.locator("main").inner_text()
    page.get_by_role("radio", name=told["choices"][0]).check()
    result = page.locator(".lesson")
    expect(result).to_contain_text(f"Measured: {told['choices'][told['right']]}.")
    expect(result).to_contain_text(re.compile(f"{measured[0]}.*Control: .*{measured[1]}"))
    expect(result.locator("tbody tr")).to_have_count(24)
    page.get_by_role("button", name="See it live").click()
    expect(page.locator(".stage .where")).to_have_text(f"Sentence {told['live']['step']} of 10")
    expect(page.locator(".right-answer")).to_have_attribute("data-right", "true")
    page.get_by_role("button", name="Erase this slot").click()
    expect(page.locator(".right-answer")).to_have_attribute("data-right", "false")
    page.get_by_role("button", name="Next lesson").click()
    expect(page.locator(".stage")).to_have_count(0)
    expect(page).to_have_url(re.compile("#lesson=8$"))
    expect(page.get_by_text("1 answered")).to_be_visible()


def test_a_file_of_another_version_says_so_in_one_line(context, file, tmp_path):
    other = tmp_path / "other.html"
    text = file.read_text(encoding="utf-8")
    payload = re.search(r'id="payload">(.*?)</script>', text)[1]
    changed = json.dumps(json.loads(payload) | {"schema": 2})
    other.write_text(text.replace(payload, changed), encoding="utf-8")
    with watched_page(context, width=500, height=400) as page:
        page.goto(other.as_uri())
        expect(page.locator(".stage")).to_contain_text("2")
        assert len(page.locator(".stage").inner_text().splitlines()) == 1
