"""Questions as a language model is asked: which opening belongs to them."""

import pytest

from lm2core.english.openings import as_prompt, opening_of
from lm2core.english.phrasings import QUESTIONS
from lm2core.errors import UserError

NAMED = {"person": "Irene", "place": "attic", "thing": "violin", "other": "Omar", "at": "in"}
ALL = [(question, opening) for phrasings in QUESTIONS.values() for question, opening in phrasings]


@pytest.mark.parametrize(("question", "opening"), ALL, ids=[question for question, _ in ALL])
def test_every_phrasing_of_a_question_has_its_own_opening(question, opening):
    assert opening_of(question.format(**NAMED)) == opening.format(**NAMED)


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("Where is Mary?", "Where is Mary? Mary is in the"),
        (" where is mary ", "where is mary? mary is in the"),
        ("Where is O'Hara?", "Where is O'Hara? O'Hara is in the"),
        ("Is Mary on the roof?", "Is Mary on the roof? The answer is"),
        ("Mary left the attic for the ", "Mary left the attic for the"),
        ("Where is Mary? Mary is at the", "Where is Mary? Mary is at the"),
    ],
)
def test_a_known_question_gets_its_opening_and_other_text_stays_as_it_is(text, prompt):
    assert as_prompt(text) == prompt


def test_a_question_of_no_known_form_says_how_to_write_the_opening():
    with pytest.raises(UserError, match=r"'Why did she leave\?' is known; write one behind .* is in the"):
        as_prompt("Why did she leave?")
    with pytest.raises(UserError, match="the question is empty"):
        as_prompt(" ")
