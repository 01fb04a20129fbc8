"""A task with the people, places and things of its stories: what it takes to edit and replay one of them.

For tasks 1 to 10.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lm2core.babi.people import ACTING
from lm2core.babi.story import Task
from lm2core.babi.tasks import get_task
from lm2core.babi.world import HOME, TOWN, Acting, Cast


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A task and its cast.

    name : of the task
    acting : how its people act, with the same cast; None where no person handles things or acts freely
    """

    name: str
    task: Task
    cast: Cast
    acting: Acting | None = None


_OTHER_CASTS: Mapping[str, Cast] = MappingProxyType({"qa4": Cast((), HOME.places), "qa9": HOME, "qa10": TOWN})


def setting_of(name: str) -> Setting:
    """The setting of a task of bAbI, one of 1 to 10."""
    if name in ACTING:
        return Setting(name=name, task=get_task(name), cast=ACTING[name].cast, acting=ACTING[name])
    return Setting(name=name, task=get_task(name), cast=_OTHER_CASTS[name])
