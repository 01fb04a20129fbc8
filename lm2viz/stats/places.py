"""Points of a slot map: which slot and sentence a point stands for, and how many stories fit on a map."""

from dataclasses import dataclass

import numpy as np

from lm2core.errors import UserError
from lm2viz.sample.rows import BankRows
from lm2viz.stats.slot_map import SlotMap

SAME = 1e-6  # share of the map's size: a point at most this far away is the one clicked


@dataclass(frozen=True, slots=True)
class MapPoint:
    """What a point stands for: ``slot`` after the first ``step`` sentences of ``story``."""

    story: int
    step: int
    slot: int


def point_at(slot_map: SlotMap, x: float, y: float) -> MapPoint | None:
    """The point drawn at (x, y) in the first two components, or None."""
    coordinates = slot_map.plotted.coordinates[:, :2]
    distances = np.hypot(*(coordinates - [x, y]).T)
    nearest = int(distances.argmin())
    if not distances[nearest] <= SAME * np.abs(coordinates).max():
        return None
    row = slot_map.plotted.rows.iloc[nearest]
    return MapPoint(int(row["story"]), int(row["segment"]) + 1, int(row["slot"]))


def first_plotted_story(slot_map: SlotMap) -> int:
    """The first story on the map."""
    return int(slot_map.plotted.rows["story"].min())


def is_plotted(slot_map: SlotMap, story: int) -> bool:
    """Whether a story is on the map, rather than among those the components were fitted to."""
    return bool((slot_map.plotted.rows["story"] == story).any())


def first_stories(rows: BankRows, n_rows: int) -> BankRows:
    """The first whole stories of ``rows`` that have at most ``n_rows`` rows in total.

    Raises
    ------
    UserError
        When the first story alone has more.
    """
    stories, counts = np.unique(rows.story, return_counts=True)
    n_stories = int(np.searchsorted(np.cumsum(counts), n_rows, side="right"))
    if n_stories == 0:
        raise UserError(
            f"the first story has {counts[0]} sentences, more than the {n_rows} that fit; choose fewer slots"
        )
    return rows.take(np.isin(rows.story, stories[:n_stories]))
