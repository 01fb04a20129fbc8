"""One story on the comparison page: each model's answers, beside the ground truth."""

import json

import numpy as np

from app.loaders.stories import generate_story
from lm2core.reading.answers import answers_by_step
from lm2core.reading.checkpoints import load, shipped_models
from tests.app.pages import open_page, unpacked

MODEL, ASKED = "babi-qa1-10", "Where is Mary?"
LINK = {"compare_view": "One story", "model": MODEL, "source": "Generated", "task": "qa1", "seed": "4"}


def grid_of(page) -> dict:
    return json.loads(page.get("plotly_chart")[0].proto.spec)["data"][0]


def test_every_row_is_what_that_model_answers_along_the_story():
    page = open_page("compare", **LINK, question=ASKED)
    names = [MODEL, *page.multiselect(key="others").value]
    assert set(names) == set(shipped_models(baselines=True))
    sentences = generate_story("qa1", 4).sentences
    drawn = unpacked(grid_of(page)["z"]).astype(float)
    for row, name in zip(drawn, names, strict=False):
        given = answers_by_step(load(name, baselines=True), sentences, ASKED)
        np.testing.assert_allclose(row, [probability for _, probability in given], atol=1e-6)


def test_the_summary_counts_the_floor_beside_the_models():
    page = open_page("compare", **LINK, question=ASKED)
    names = (MODEL, *page.multiselect(key="others").value)
    summary = next(m.value for m in page.markdown if "Right answers after" in m.value).replace("\\", "")
    assert "baseline: last place named" in summary
    assert all(name in summary for name in names)


def test_a_model_that_does_not_know_a_word_is_excluded_and_named():
    page = open_page("compare", **(LINK | {"task": "qa10"}), others="babi-qa1-3")
    assert "do not know all of these words: babi\\-qa1\\-3" in page.info[0].value
    assert len(unpacked(grid_of(page)["z"])) == 2  # the model and what is right; no place, so no floor


def test_where_no_model_knows_the_question_nothing_is_drawn():
    page = open_page("compare", **LINK, question="Where is Zoe?", others="babi-qa1-3")
    assert "Excluded" in page.info[0].value
    assert not page.get("plotly_chart")
