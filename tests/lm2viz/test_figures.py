"""Figures hold the numbers they are given, on scales that never move."""

import numpy as np
import pytest

from lm2viz.estimates import Estimate
from lm2viz.figures.answer_grid import answer_grid
from lm2viz.figures.bars import answer_bars
from lm2viz.figures.before_after import before_after_panels
from lm2viz.figures.heatmap import clickable, fraction_heatmap, signed_heatmap, stacked_fractions
from lm2viz.figures.lines import Series
from lm2viz.figures.points import label_places
from lm2viz.figures.provenance import score_bars
from lm2viz.figures.scatter import Cloud, cloud_with_shares
from lm2viz.figures.slot_facts import accuracy_matrices
from lm2viz.figures.slots import ranked_bars
from lm2viz.figures.update import routes

VALUES = np.array([[0.0, 0.25, 0.5], [0.75, 1.0, 0.1]])
SHARES = Series("model", *np.array([[0.3, 0.2], [0.1, 0.1], [0.5, 0.4]]))
NAMES = {"rows": ["0:the", "1:the"], "columns": ["0", "1", "2"], "title": "Reads", "unit": "attention"}


def test_a_fraction_heatmap_has_the_fixed_scale_and_both_equal_words():
    figure = fraction_heatmap(VALUES, **NAMES)
    heat = figure.data[0]
    assert (heat.z == VALUES).all()
    assert (heat.zmin, heat.zmax) == (0, 1)
    assert list(figure.layout.yaxis.ticktext) == ["0:the", "1:the"]


def test_hovering_names_row_and_column_as_they_are_labelled():
    figure = fraction_heatmap(VALUES, **(NAMES | {"columns": ["1", "2", "3"]}), column_title="sentence")
    assert figure.data[0].text[1][2] == "1:the, sentence 3"


def test_markup_in_words_and_facts_is_shown_as_text():
    """Plotly would draw it as a link."""
    link, shown = "<a>click</a> & co", "&lt;a&gt;click&lt;/a&gt; &amp; co"
    figures = [
        fraction_heatmap(VALUES, **(NAMES | {"rows": [link, "b"]})),
        stacked_fractions({"p": VALUES}, rows=[link, "b"], columns=NAMES["columns"]),
        accuracy_matrices({"p": VALUES.T}, facts=[link, "b"]),
        routes([link], VALUES[:1], [link], VALUES[:1], slot=1),
        score_bars([link], np.ones(1), np.zeros(1), any_slot=np.zeros(1), title=link),
        fraction_heatmap(VALUES, **(NAMES | {"columns": [link, "1", "2"], "title": link})),
        ranked_bars({link: ([link], {"score": [Estimate(0.4, 0.1, 0.7, 9)]})}, title="score"),
        cloud_with_shares(
            Cloud(VALUES.T, [link, None, "b"], [link] * 3), [SHARES], axes=["1", "2"], title=link
        ),
        answer_grid(VALUES[:1], [[link] * 3], [[True, False, None]], names=[link]),
        before_after_panels(VALUES, VALUES, [SHARES], words=[link, "b"], titles=["before", "after"]),
    ]
    for figure in figures:
        expected = str(figure.to_dict())
        assert shown in expected
        assert "<a" not in expected


@pytest.mark.parametrize("bad", [-0.1, 1.1])
def test_a_value_that_is_no_fraction_is_refused(bad):
    with pytest.raises(ValueError, match=r"Reads: fractions must be in \[0, 1\]"):
        fraction_heatmap(VALUES + (bad if bad < 0 else bad - 1), **NAMES)


def test_a_signed_heatmap_is_symmetric_about_zero():
    heat = signed_heatmap(VALUES - 0.5, limit=2.5, **NAMES).data[0]
    assert (heat.zmin, heat.zmax) == (-2.5, 2.5)


def test_names_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="1 row and 3 column names for shape"):
        fraction_heatmap(VALUES, **(NAMES | {"rows": ["a"]}))


def test_every_cell_can_be_clicked_at_its_own_place():
    figure = clickable(fraction_heatmap(VALUES, **NAMES))
    marks = figure.data[1]
    assert sorted(zip(marks.x, marks.y, strict=True)) == [(x, y) for x in range(3) for y in range(2)]
    assert marks.hoverinfo == "none"  # "skip" would swallow the click
    assert figure.layout.clickmode == "event+select"


def test_too_many_click_targets_are_refused():
    wide = np.zeros((5, 1_000))
    figure = fraction_heatmap(
        wide, rows=list("abcde"), columns=[str(i) for i in range(1000)], title="t", unit="u"
    )
    with pytest.raises(ValueError, match="5 x 1000 cells are more than 4000 click targets"):
        clickable(figure)


def test_answers_stand_beside_their_control():
    series = {"moved": [0.1, 0.9], "own": [0.8, 0.2], "control": [0.7, 0.3]}
    control, unedited, edited = answer_bars(["office", "<b>"], series, colours=["red", "blue", "grey"]).data
    assert (list(edited.x), edited.name, edited.marker.color) == ([0.1, 0.9], "moved", "red")
    assert (list(unedited.x), unedited.name, list(unedited.y)) == ([0.8, 0.2], "own", ["office", "&lt;b&gt;"])
    assert (list(control.x), control.name, control.marker.color) == ([0.7, 0.3], "control", "grey")


def test_stacked_fractions_share_one_fixed_scale_and_keep_their_numbers():
    panels = {"gate": VALUES, "kept": 1 - VALUES}
    figure = stacked_fractions(panels, rows=["a", "b"], columns=["0", "1", "2"])
    assert [heat.name for heat in figure.data] == ["gate", "kept"]
    assert (figure.data[1].z == 1 - VALUES).all()
    assert {heat.coloraxis for heat in figure.data} == {"coloraxis"}
    assert (figure.layout.coloraxis.cmin, figure.layout.coloraxis.cmax) == (0, 1)
    assert [a.text for a in figure.layout.annotations] == ["gate", "kept"]
    first, *_, marks = clickable(figure).data
    np.testing.assert_allclose(marks.y, first.y0 + np.arange(2).repeat(3))
    with pytest.raises(ValueError, match="kept: fractions must be"):
        stacked_fractions({"kept": VALUES + 1}, rows=["a", "b"], columns=["0", "1", "2"])


def test_signed_values_below_fractions_have_a_scale_of_their_own_symmetric_about_0():
    change = {"change": VALUES - 0.8}
    figure = stacked_fractions({"kept": VALUES}, rows=["a", "b"], columns=["0", "1", "2"], signed=change)
    kept, changed = figure.data
    assert (kept.coloraxis, changed.coloraxis) == ("coloraxis", "coloraxis2")
    assert (changed.z == VALUES - 0.8).all() and changed.y0 > kept.y0 + 1
    assert (figure.layout.coloraxis2.cmin, figure.layout.coloraxis2.cmax) == (-0.8, 0.8)
    nothing = stacked_fractions({}, rows=["a"], columns=["0"], signed={"change": np.zeros((1, 1))})
    assert nothing.layout.coloraxis2.cmax == 1


def test_labels_of_near_points_stand_on_different_sides_and_a_label_without_room_is_left_out():
    x, y = np.array([0.5, 0.51, 0.9, 0.1, 1.0]), np.array([0.5, 0.5, 0.5, 0.0, 1.0])
    places = label_places(x, y, ["1", "2", "3", "4", "5"])
    assert None not in places and places[0] != places[1]
    crowd = np.append(np.linspace(0.5, 0.52, 30), 1.0)
    places = label_places(crowd, np.zeros(31), [str(i) for i in range(31)])
    assert places[30] is not None and None in places[:30]


def test_bars_of_one_sentence_are_as_high_as_those_of_five():
    def height(n):
        names, (direct, indirect, control) = [f"s{i}" for i in range(n)], np.full((3, n), 1 / n)
        return score_bars(names, direct, indirect, any_slot=control, title="t").layout.height

    assert height(1) == height(5) < height(9)
