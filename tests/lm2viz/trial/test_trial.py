"""The models are what they say, and a method is scored by what it names."""

import numpy as np
import pytest

from lm2core.evaluation.stories import predict, score
from lm2core.reading.answers import read_stories
from lm2viz.cli.main import main
from lm2viz.trial import METHODS, family, trial
from lm2viz.trial import run as run_module
from lm2viz.trial.constructed import PEOPLE, PLACES
from lm2viz.trial.family import HOME, SECOND, Case

MEMBERS = {member.name: member for member in family()}
NAMES = list(MEMBERS)


def case(name, person="Mary"):
    return Case(MEMBERS[name], person, 0)


def single(name, slots, person="Mary"):
    """Interchange of these slots."""
    scores = case(name, person).scorer.score_slots(slots)
    return scores.hit.mean(), np.nanmean(scores.stay)


@pytest.mark.parametrize("name", NAMES)
def test_a_model_answers_and_its_truth_carries_each_fact(name):
    for person in PEOPLE:
        it = case(name, person)
        assert score(it.stories, predict(it.lm, it.stories)).accuracy == 1
        assert it.scorer.score_slots(sorted(MEMBERS[name].truth[person])).hit.mean() == 1
        rest = set(range(it.n_slots)) - MEMBERS[name].truth[person]
        assert it.scorer.score_slots(sorted(rest)).hit.mean() == 0


def test_two_people_share_a_slot_and_nobody_else_does():
    assert single("shared", [3])[1] < 0.8
    assert single("shared", [3], "John")[1] < 0.8
    assert single("shared", [2], "Sandra") == single("overwrite", [3]) == (1, 1)


@pytest.mark.parametrize("name", ["copy", "split"])
def test_of_two_slots_neither_is_enough(name):
    for slots in ([HOME["Mary"]], [SECOND["Mary"]]):
        hit, stay = single(name, slots)
        assert hit < 0.7
        assert stay == 1


def test_the_decoy_holds_the_place_and_is_never_read():
    it = case("decoy")
    banks = read_stories(it.lm, it.stories, names=["hook_bank"]).arrays["hook_bank"]
    last = [banks[b, len(story.sentences) - 1, SECOND["Mary"]] for b, story in enumerate(it.stories)]
    start = it.lm.model.config.memory_slots + len(PEOPLE)
    said = [PLACES[int(row[start : start + len(PLACES)].argmax())] for row in last]
    assert said == [story.questions[0].answer for story in it.stories]
    assert single("decoy", [SECOND["Mary"]]) == (0, 1)


EXPECTED = {
    "probe": {"decoy": {1, 3}},
    "zero": {"copy": set()},
    "interchange": {"copy": set()},
    "random slot": None,
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["copy", "decoy"])
def test_what_each_method_says_of_a_copy_and_of_a_decoy(method, name):
    """A probe names the decoy; one slot at a time, an edit sees no copy; the others name what matters."""
    named = set(METHODS[method](case(name)))
    if EXPECTED.get(method, {}) is None:
        assert len(named) == 1
        return
    assert named == EXPECTED.get(method, {}).get(name, MEMBERS[name].truth["Mary"])


def test_a_method_of_ones_own_is_scored_by_what_it_names():
    def always_home(it):
        return [HOME[it.person], it.n_slots - 1]

    result = trial({"home and the last": always_home, "nothing": lambda it: ()})
    # Fifteen facts, of which six are in two slots; John of "shared" lives elsewhere.
    assert result.precision("home and the last").value == pytest.approx(14 / 30)
    assert result.recall("home and the last").value == pytest.approx(14 / 21)
    assert result.recall("home and the last", "split").value == 0.5
    assert (result.precision("nothing").n, result.recall("nothing").value) == (0, 0)
    assert result.verdict.startswith(
        "No method: exactly the slots that matter, for each of 15 facts in 5 models"
    )
    table = result.table().set_index(["method", "model"])
    assert table.loc[("home and the last", "decoy"), "named"].startswith(
        "place of Mary: 3,6; place of John: 0,6"
    )
    assert list(result.figure().data[0].y) == ["home and the last", "nothing"]


def test_a_method_sees_no_truth():
    assert not any("truth" in name for name in dir(case("copy")))


def test_bad_methods_are_told_in_one_line():
    with pytest.raises(ValueError, match="mine names slot 5 of the model overwrite, which has 0..4"):
        trial({"mine": lambda it: [5]})
    with pytest.raises(ValueError, match="no method to try"):
        trial({})


def test_the_command_says_how_often_each_method_is_right(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(run_module, "METHODS", {"random slot": METHODS["random slot"]})
    assert main(["trial", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "random slot: precision " in said
    assert "decoy: a whole copy of the place in a second slot, which is never read" in said
    assert (tmp_path / "trial.csv").read_text().count("random slot") == 6
