"""The answer to a question from the facts of the world, without the sentences: a second way to it."""

import re
from collections.abc import Callable

from lm2core.babi.directions import COMPASS, SIDES
from lm2core.babi.motives import GOALS
from lm2core.babi.story import Facts
from lm2core.babi.times import SLOTS

_STEPS = COMPASS | SIDES
_RELATION = f"({'|'.join(_STEPS)})"
_NUMBERS = ("none", "one", "two", "three")


def true_answers(text: str, facts: Facts) -> set[str]:
    """The answers to a question that the facts allow."""
    for pattern, answer in _RULES.items():
        if match := re.fullmatch(pattern, text):
            return answer(facts, *match.groups())
    raise AssertionError(f"no rule for {text!r}")


def _held(facts: Facts, actor: str) -> list[str]:
    return [
        key.removeprefix("holder of ")
        for key, value in facts.items()
        if (key[:9], value) == ("holder of", actor)
    ]


def _point(facts: Facts, name: str) -> tuple[int, int]:
    x, y = facts[f"position of {name}"].split(",")
    return int(x), int(y)


def _beside(facts: Facts, relation: str, name: str) -> set[str]:
    (x, y), (dx, dy) = _point(facts, name), _STEPS[relation]
    names = [key.removeprefix("position of ") for key in facts]
    return {other for other in names if _point(facts, other) == (x + dx, y + dy)}


def _is_beyond(facts: Facts, name: str, relation: str, other: str) -> set[str]:
    (x, y), (x0, y0), (dx, dy) = _point(facts, name), _point(facts, other), _STEPS[relation]
    return {"yes" if (x - x0) * dx + (y - y0) * dy > 0 else "no"}


def _ways(facts: Facts, start: str, end: str) -> set[str]:
    (x0, y0), (x1, y1) = _point(facts, start), _point(facts, end)
    return {
        f"{a[0]},{b[0]}"
        for a, (ax, ay) in COMPASS.items()
        for b, (bx, by) in COMPASS.items()
        if (x0 + ax + bx, y0 + ay + by) == (x1, y1)
    }


def _is_bigger(facts: Facts, big: str, small: str) -> set[str]:
    return {"yes" if int(facts[f"size of {big}"]) > int(facts[f"size of {small}"]) else "no"}


def _before(facts: Facts, actor: str, place: str) -> set[str]:
    at = [facts.get(f"place of {actor} {slot}", "") for slot in SLOTS]
    return {at[len(at) - 1 - at[::-1].index(place) - 1]}


def _lists(facts: Facts, actor: str) -> set[str]:
    held = _held(facts, actor)
    return {",".join(sorted(held)) or "nothing"}


_RULES: dict[str, Callable[..., set[str]]] = {
    r"Where is (?:the )?(\w+)\?": lambda f, x: {f[f"place of {x}"]},
    rf"What is {_RELATION} the (\w+)\?": _beside,
    rf"What is the (\w+) {_RELATION}\?": lambda f, x, r: {
        y for y in (key.removeprefix("position of ") for key in f) if x in _beside(f, r, y)
    },
    r"Is (\w+) in the (\w+)\?": lambda f, x, place: {"yes" if f[f"place of {x}"] == place else "no", "maybe"},
    r"How many objects is (\w+) carrying\?": lambda f, x: {_NUMBERS[len(_held(f, x))]},
    r"What is (\w+) carrying\?": _lists,
    r"Where was (\w+) before the (\w+)\?": _before,
    r"What is (\w+) afraid of\?": lambda f, x: {f[f"fear of {x.capitalize()}"]},
    r"What color is (\w+)\?": lambda f, x: {f[f"colour of {x}"]},
    rf"Is the (.+) {_RELATION} the (.+)\?": _is_beyond,
    r"Is the (.+) bigger than the (.+)\?": _is_bigger,
    r"Does the (.+) fit in the (.+)\?": lambda f, small, big: _is_bigger(f, big, small),
    r"How do you go from the (\w+) to the (\w+)\?": _ways,
    r"Where will (\w+) go\?": lambda f, x: {GOALS[f[f"motive of {x.capitalize()}"]][0]},
    r"Why did (\w+) (?:get|go to) the \w+\?": lambda f, x: {f[f"motive of {x.capitalize()}"]},
}
