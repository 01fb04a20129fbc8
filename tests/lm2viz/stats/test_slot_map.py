"""A person's slot tells places apart in stories that were not fitted; shuffled names do not."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lm2core.reading.answers import read_stories
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.figures.scatter import UNKNOWN, Cloud, cloud_with_shares
from lm2viz.sample.rows import bank_rows
from lm2viz.stats import map_slots
from lm2viz.stats.slot_map import MODEL, SHUFFLED, UNTRAINED
from tests.conftest import make_model
from tests.handmade import SLOT_OF, TOKENIZER, handmade_lm, handmade_stories

STORIES = handmade_stories(41)
FACT = "place of Mary"


@pytest.fixture(scope="module")
def rows():
    return bank_rows(read_stories(handmade_lm(), STORIES))


@pytest.fixture(scope="module")
def mary(rows):
    return map_slots(rows, FACT, slots=[SLOT_OF["Mary"]])


def test_a_persons_slot_separates_places_perfectly_and_shuffled_names_do_not(mary):
    assert mary.variants[MODEL].silhouette.value > 0.999
    assert mary.variants[SHUFFLED].silhouette.high < 0.2


def test_the_slot_of_another_person_separates_nothing(rows):
    result = map_slots(rows, FACT, slots=[SLOT_OF["John"]])
    assert result.variants[MODEL].silhouette.high < 0.1


def test_places_exchanged_between_stories_give_chance(rows):
    """Each row gets the place of a row of the next story: the same places, as often in a row."""
    facts = pd.DataFrame({FACT: np.roll(rows.facts[FACT].to_numpy(), 7)}, dtype=object)
    result = map_slots(replace(rows, facts=facts), FACT, slots=[SLOT_OF["Mary"]])
    assert result.variants[MODEL].silhouette.high < 0.2


def test_components_are_fitted_on_other_stories_than_those_drawn(rows, mary):
    plotted = set(mary.plotted.rows["story"])
    assert len(plotted) + mary.n_fit_stories == 41
    changed = rows.banks.copy()
    changed[np.isin(rows.story, sorted(plotted))] *= 3.0
    other = map_slots(replace(rows, banks=changed), FACT, slots=[SLOT_OF["Mary"]])
    here, there = (np.diff(m.plotted.coordinates, axis=0) for m in (mary, other))
    np.testing.assert_allclose(3 * here, there, atol=1e-4)


def test_shares_are_the_variance_about_the_fitted_mean_and_exceed_those_of_shuffled_numbers(rows, mary):
    is_plotted = np.isin(rows.story, mary.plotted.rows["story"].unique())
    content = rows.banks[:, SLOT_OF["Mary"]].astype(float)
    total = ((content[is_plotted] - content[~is_plotted].mean(axis=0)) ** 2).sum()
    by_hand = (mary.plotted.coordinates**2).sum(axis=0) / total
    np.testing.assert_allclose(mary.variants[MODEL].shares.value, by_hand, rtol=1e-5)
    assert mary.variants[MODEL].shares.value.sum() > mary.variants[SHUFFLED].shares.value.sum() + 0.1


def test_several_slots_can_be_told_apart_by_which_they_are(rows):
    result = map_slots(rows, "slot", slots=list(SLOT_OF.values()), n_components=2)
    assert len(result.plotted.rows) == 3 * result.plotted.rows.groupby(["story", "segment"]).ngroups
    assert {trace.name for trace in result.figure().data} >= {"0", "2", "3"}
    with pytest.raises(ValueError, match="3 axes needs as many components, got 2; use n_components=3"):
        result.figure_3d()


def test_an_untrained_model_stands_beside_it(rows):
    untrained = bank_rows(read_stories(_untrained(), STORIES))
    result = map_slots(rows, FACT, slots=[SLOT_OF["Mary"]], untrained=untrained)
    assert result.variants[UNTRAINED].silhouette.high < 0.2
    assert "untrained" in result.summary() and UNTRAINED in {trace.name for trace in result.figure().data}
    with pytest.raises(ValueError, match="the models read different stories"):
        map_slots(rows, FACT, slots=[3], untrained=untrained.take(untrained.story > 0))


def _untrained():
    return LoadedModel("untrained", make_model(vocab_size=len(TOKENIZER)), TOKENIZER)


def test_summary_and_table_give_every_estimate_with_its_control(rows, mary):
    table = mary.table()
    assert set(table["variant"]) == {MODEL, SHUFFLED}
    assert set(table["figure"]) == {*(f"share of component {i}" for i in (1, 2, 3)), "silhouette"}
    summary = mary.summary()
    assert f"{7 * 21} points of 21 other stories; 95 % intervals over stories" in summary
    assert summary.count("; shuffled ") == 4
    assert "not finite" not in summary
    with_nan = map_slots(replace(rows, n_nan=6), FACT, slots=[3])
    assert "excluded: 6 banks that are not finite" in with_nan.summary()


def test_the_same_seed_gives_the_same_table_and_another_draws_other_stories(rows, mary):
    again, other = (map_slots(rows, FACT, slots=[SLOT_OF["Mary"]], seed=seed) for seed in (0, 1))
    assert mary.table().equals(again.table())
    assert set(mary.plotted.rows["story"]) != set(other.plotted.rows["story"])


def test_what_cannot_be_mapped_is_refused(rows):
    with pytest.raises(ValueError, match="unknown fact 'place of Bob'; known: place of John, place of"):
        map_slots(rows, "place of Bob", slots=[3])
    with pytest.raises(
        ValueError, match="3 stories are too few to fit some and draw others; give at least 4"
    ):
        map_slots(rows.take(rows.story < 3), FACT, slots=[3])
    alike = replace(rows, facts=pd.DataFrame({FACT: ["office"] * len(rows.story)}))
    with pytest.raises(ValueError, match=r"place of Mary has the values \['office'\] in the drawn stories"):
        map_slots(alike, FACT, slots=[3])


def test_values_differ_in_colour_and_symbol_and_the_unknown_is_grey(mary):
    figure = mary.figure()
    values = {trace.name: trace for trace in figure.data if trace.xaxis == "x"}
    assert set(values) == {UNKNOWN, "garden", "hallway", "kitchen", "office"}
    known = [trace.marker for name, trace in values.items() if name != UNKNOWN]
    assert len({m.color for m in known}) == len({m.symbol for m in known}) == 4
    shown = sum(len(trace.x) for trace in values.values())
    assert shown == len(mary.plotted.rows)
    row = mary.plotted.rows[mary.plotted.rows[FACT] == "office"].iloc[0]
    message = f"story {row['story']}, sentence {row['segment'] + 1}, slot 3: office"
    assert values["office"].text[0] == message
    assert values["office"].x[0] == mary.plotted.coordinates[row.name, 0]
    shares = [trace for trace in figure.data if trace.xaxis == "x2"]
    assert [trace.name for trace in shares] == [MODEL, SHUFFLED]
    assert tuple(figure.layout.yaxis2.range) == (0, 1)
    assert {trace.type for trace in mary.figure_3d().data} == {"scatter3d", "scatter"}


def test_a_path_goes_through_a_story_sentence_by_sentence(mary):
    story = int(mary.plotted.rows["story"].iloc[-1])
    path = next(trace for trace in mary.path(story, SLOT_OF["Mary"]).data if trace.name == "path")
    assert list(path.text) == [str(n) for n in range(1, 8)]
    mine = mary.plotted.coordinates[(mary.plotted.rows["story"] == story).to_numpy()]
    np.testing.assert_array_equal(np.stack([path.x, path.y], axis=1), mine[:, :2])
    fitted = next(b for b in range(41) if b not in set(mary.plotted.rows["story"]))
    with pytest.raises(
        ValueError, match=f"slot 3 of story {fitted} is not on the map; it has slots .* and 11 more"
    ):
        mary.path(fitted, 3)


def test_more_values_than_looks_are_refused():
    names = [f"value {i:02}" for i in range(65)]
    points = np.zeros((65, 2))
    with pytest.raises(ValueError, match="65 values are too many to distinguish, at most 64"):
        cloud_with_shares(Cloud(points, names, names), [], axes=["a", "b"], title="t")
