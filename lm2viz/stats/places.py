"""Points of a map of slots: which bank a point is, and how many stories a map can take."""

from dataclasses import dataclass

import numpy as np

from lm2core.errors import UserError
from lm2viz.sample.rows import BankRows
from lm2viz.stats.slot_map import SlotMap

SAME = 1e-6  # of the size of the map: nearer than this it is the point itself


@dataclass(frozen=True, slots=True)
class MapPoint:
    """What a point stands for: a slot after the first ``step`` sentences of a story."""

    story: int
    step: int
    slot: int


def point_at(slot_map: SlotMap, x: float, y: float) -> MapPoint | None:
    """The point drawn at these two components, or None where there is none."""
    coordinates = slot_map.plotted.coordinates[:, :2]
    distances = np.hypot(*(coordinates - [x, y]).T)
    nearest = int(distances.argmin())
    if not distances[nearest] <= SAME * np.abs(coordinates).max():
        return None
    row = slot_map.plotted.rows.iloc[nearest]
    return MapPoint(int(row["story"]), int(row["segment"]) + 1, int(row["slot"]))


def first_plotted_story(slot_map: SlotMap) -> int:
    """The first story among the points."""
    return int(slot_map.plotted.rows["story"].min())


def is_plotted(slot_map: SlotMap, story: int) -> bool:
    """Whether a story is among the points, and not among those that the components were fitted to."""
    return bool((slot_map.plotted.rows["story"] == story).any())


def first_stories(rows: BankRows, n_rows: int) -> BankRows:
    """The first stories of ``rows``, as many as have ``n_rows`` rows together, each of them whole.

    Raises
    ------
    UserError
        When the first story alone has more rows.
    """
    stories, counts = np.unique(rows.story, return_counts=True)
    n_stories = int(np.searchsorted(np.cumsum(counts), n_rows, side="right"))
    if n_stories == 0:
        raise UserError(f"the first story has {counts[0]} sentences, more than {n_rows}; take fewer slots")
    return rows.take(np.isin(rows.story, stories[:n_stories]))
