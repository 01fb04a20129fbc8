"""Each page begins with its finding in one sentence, made of the numbers that it shows."""

import pytest

from app.loaders import causal, interventions, noise, probes, stories, traces
from app.loaders.sample import page_sample
from app.widgets.shown_story import subject_of
from lm2viz.causal import Zero, to_json
from lm2viz.causal.gate_edit import GateEdit
from lm2viz.story import verdicts
from lm2viz.story.gated_update import control_slot, most_changed_slot
from lm2viz.story.read_shift import distances_of_answer
from tests.app.pages import open_page, shown_verdict

MODEL, EXAMPLE = "babi-qa1-3", "2-two-facts"
LINK = {"model": MODEL, "example": EXAMPLE}
STORY = stories.load_example(EXAMPLE)
ASKED = "Where is Mary?"


def test_story_says_the_answer_and_that_of_an_empty_memory():
    page = open_page(**LINK, step="4", question=ASKED)
    answer, fresh = (traces.load_answer(MODEL, STORY.sentences, step, ASKED) for step in (4, 0))
    assert shown_verdict(page) == verdicts.answer_in_words(ASKED, answer, fresh, "office")
    assert f"answers {answer.words[0]} ({answer.probabilities[0]:.0%})" in shown_verdict(page)


def test_a_wrong_answer_is_called_wrong():
    answer = traces.load_answer(MODEL, STORY.sentences, 4, ASKED)
    said = verdicts.answer_in_words(ASKED, answer, answer, "garden")
    assert "not garden" in said
    assert "which is right" not in said


def test_interventions_says_what_the_edit_did_and_what_is_still_to_be_measured():
    page = open_page("interventions", **LINK, edits=to_json([Zero(slots=(13,))]))
    result = interventions.load_story_effect(
        MODEL, STORY.sentences, STORY.questions, "", to_json([Zero(slots=(13,))]), task="qa1", seed=0
    )
    n = sum(a.after != a.before for a in result.answers)
    assert shown_verdict(page).startswith(f"Erasing slot 13 changes {n} of {len(result.answers)} answers")
    assert any("Press **Measure**" in c.value and "seconds" in c.value for c in page.caption)


def test_probes_names_the_slot_of_a_fact_and_offers_to_erase_it(monkeypatch):
    monkeypatch.setattr(probes, "SIZES", (20, 30))
    page = open_page("probes", model=MODEL, task="qa1", n_stories="20")
    result = probes.load_facts(MODEL, page_sample("qa1", 20), tuple(f"place of {n}" for n in
                               ("Daniel", "John", "Mary", "Sandra")))  # fmt: skip
    assert shown_verdict(page) == result.verdict()
    slot, fact = result.slot_of(result.best_fact()), result.best_fact()
    assert f"Slot {slot} holds the {fact}" in result.verdict()
    (link,) = [each.proto for each in page.get("page_link") if each.proto.label == f"Erase slot {slot}"]
    assert f"Where+is+{fact.removeprefix('place of ')}" in link.query_string
    assert "zero" in link.query_string


def test_a_link_with_an_erase_wins_over_the_edits_of_an_earlier_visit():
    page = open_page("interventions", **LINK, edits=to_json([Zero(slots=(13,))]))
    page.query_params["edits"] = to_json([Zero(slots=(9,))])
    page.run()
    assert shown_verdict(page).startswith("Erasing slot 9 ")


def test_attention_says_how_much_moved_beside_an_untrained_model():
    page = open_page("attention", **LINK, step="4", question=ASKED)
    moved, control = (
        distances_of_answer(*(load(MODEL, STORY.sentences, s, ASKED) for s in (3, 4)))
        for load in (lambda *of: traces.load_answer(*of).trace, traces.load_untrained_read)
    )
    assert shown_verdict(page) == verdicts.shift_in_words(moved, control)
    assert f"moves {moved.mean():.0%}" in shown_verdict(page)


def test_gated_update_opens_where_the_asked_fact_was_written_and_says_who_takes_over():
    page = open_page("gated_update", **LINK, question=ASKED)
    trace = traces.load_trace(MODEL, STORY.sentences)
    step = verdicts.written_at(trace, ASKED)
    assert step == max(i for i, s in enumerate(STORY.sentences, 1) if s.startswith("Mary") and " to " in s)
    assert page.slider(key="step").value == step
    slot = most_changed_slot(trace, step - 1)
    assert page.number_input(key="slot").value == slot
    assert shown_verdict(page) == verdicts.update_in_words(trace, step - 1, slot)
    page.slider(key="input_gate").set_value(0.0).run()
    edit = GateEdit(step=step, slot=slot, gate_in=0.0)
    edited = traces.load_gate_edit(MODEL, STORY.sentences, edit, step).trace
    assert verdicts.written_instead(trace, step - 1, edited, slot) in shown_verdict(page)
    assert f"the same edit in slot {control_slot(slot, 24)} gives" in shown_verdict(page)


def test_noise_answers_its_question_from_the_gates():
    page = open_page("noise", length="1k")
    contrast = noise.load_contrast("qa1", "1k", 0, "By word")
    assert shown_verdict(page) == f"Does the input gate stay shut? {contrast.verdict}"
    assert f"{contrast.model.mean(axis=0)[contrast.is_fact].mean():.2f} on facts" in contrast.verdict


def test_causal_map_says_what_is_measured_and_then_what_was_found():
    page = open_page("causal_map", model=MODEL)
    assert shown_verdict(page).startswith("Not measured yet")
    page.button(key="causal_button").click().run(timeout=120)
    assert shown_verdict(page) == causal.load_map(MODEL, "qa1", "place", 1, 16).verdict


@pytest.mark.parametrize(("step", "asked"), [(0, False), (2, True)])
def test_a_question_is_about_somebody_who_was_mentioned(step, asked):
    page = open_page(model=MODEL, source="Own")
    page.text_area[0].set_value("Daniel went to the garden.\nJohn went to the office.")
    next(b for b in page.button if b.label == "Read story").click().run()
    page.slider(key="step").set_value(step).run()
    assert page.text_input(key="question").placeholder == "Where is Daniel?"
    said = any("No sentence so far says where anybody is" in c.value for c in page.caption)
    assert said is not asked


def test_a_question_about_somebody_who_was_not_mentioned_is_said_to_be_a_guess():
    page = open_page(model=MODEL, source="Generated", seed="0", step="1", question="Where is Mary?")
    assert "Mary was not mentioned yet: the answer is a guess." in [c.value for c in page.caption]
    page.slider(key="step").set_value(10).run()
    assert not any("not mentioned" in c.value for c in page.caption)


@pytest.mark.parametrize(
    ("question", "subject"), [("Where is Mary?", "Mary"), ("Where is the milk", "milk"), ("Who is Mary?", "")]
)
def test_the_subject_of_a_question_about_a_place(question, subject):
    assert subject_of(question) == subject
