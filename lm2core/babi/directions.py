"""Tasks 4, 17 and 19: places and shapes on a grid, each stated to be one step away from another.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data. Nothing moves: the same facts hold
after every sentence. Positions are "x,y", x to the east or right, y to the north or up. Differs from the
published stories of task 19: ours have every order of the sentences equally often, so that the last sentence
is part of the path asked about in 40 % of the stories, against 56 % in the published ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations
from random import Random
from types import MappingProxyType

from lm2core.babi.story import Line, Question, Statement
from lm2core.babi.world import HOME

Point = tuple[int, int]
COMPASS: Mapping[str, Point] = MappingProxyType(
    {"north of": (0, 1), "south of": (0, -1), "east of": (1, 0), "west of": (-1, 0)}
)
SIDES: Mapping[str, Point] = MappingProxyType(
    {"above": (0, 1), "below": (0, -1), "to the left of": (-1, 0), "to the right of": (1, 0)}
)
OPPOSITE = MappingProxyType(
    {a: b for steps in (COMPASS, SIDES) for a, (x, y) in steps.items() for b in steps if steps[b] == (-x, -y)}
)
SHAPES = ("triangle", "pink rectangle", "red sphere", "red square", "blue square", "yellow square")
N_OTHERS = 3  # places of task 19 that are not on the path
_USUAL_ORDER = 2 / 3  # how often task 4 names the end first, task 17 the middle


def draw_row(rng: Random) -> Iterator[Sequence[Line]]:
    """qa4: three places in a row, each end beside the middle."""
    middle, *ends = rng.sample(HOME.places, 3)
    ahead = rng.choice(list(COMPASS))
    at = {middle: (0, 0), ends[0]: COMPASS[ahead], ends[1]: COMPASS[OPPOSITE[ahead]]}
    yield [
        _line(COMPASS, at, end, middle) if rng.random() < _USUAL_ORDER else _line(COMPASS, at, middle, end)
        for end in ends
    ]


def draw_star(rng: Random) -> Iterator[Sequence[Line]]:
    """Practice for qa4: four places around one, each named before it.

    In a row, a model that ignores directions answers 78 % correctly, and training gets stuck there. Here it
    would answer a quarter correctly.
    """
    middle, *ends = rng.sample(HOME.places, 5)
    at = {middle: (0, 0)} | dict(zip(ends, rng.sample(list(COMPASS.values()), 4), strict=True))
    yield [_line(COMPASS, at, end, middle) for end in ends]


def ask_verbatim(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """Practice for qa4: ask about statement ``i`` in its own words."""
    statement = history[i]
    return Question(
        f"What is {statement.relation} the {statement.target}?", statement.subject, (i,), len(history)
    )


def ask_neighbour(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """qa4: what is on the side of its target that statement ``i`` names?"""
    statement = history[i]
    forms = (
        f"What is {statement.relation} the {statement.target}?",
        f"What is the {statement.target} {OPPOSITE[statement.relation]}?",
    )
    return Question(rng.choice(forms), statement.subject, (i,), len(history))


def draw_shapes(rng: Random) -> Iterator[Sequence[Line]]:
    """qa17: two shapes on different sides of a third."""
    middle, *outer = rng.sample(SHAPES, 3)
    at = {middle: (0, 0)} | dict(zip(outer, rng.sample(list(SIDES.values()), 2), strict=True))
    yield [
        _line(SIDES, at, middle, shape) if rng.random() < _USUAL_ORDER else _line(SIDES, at, shape, middle)
        for shape in outer
    ]


def ask_side(history: Sequence[Statement], _: int, rng: Random) -> Question | None:
    """qa17, any index: is one outer shape on a side of the other? Any distance in that direction counts.

    None before both are stated.
    """
    near = _neighbours(history)
    middle = next((shape for shape in near if len(near[shape]) > 1), None)
    if middle is None:
        return None
    first, second = rng.sample(list(near[middle]), 2)
    (line_1, side_1), (line_2, side_2) = near[middle][first], near[middle][second]
    away = _step_from(SIDES[side_1], SIDES[side_2], -1)
    return _whether_at(rng, first, away, second, (line_1, line_2), len(history))


def ask_any_side(history: Sequence[Statement], i: int, rng: Random) -> Question | None:
    """Practice for qa17: half of the time about the two shapes that statement ``i`` names."""
    if rng.random() < 0.5:
        return ask_side(history, i, rng)
    subject, relation, target = history[i].subject, history[i].relation, history[i].target
    if rng.random() < 0.5:
        subject, relation, target = target, OPPOSITE[relation], subject
    return _whether_at(rng, subject, SIDES[relation], target, (i,), len(history))


def _whether_at(
    rng: Random, first: str, away: Point, second: str, support: tuple[int, ...], n_statements: int
) -> Question:
    """Whether ``first``, which is ``away`` from ``second``, is on a side of it; "yes" half of the time."""
    is_true = rng.random() < 0.5
    x, y = away
    sides = [side for side, (dx, dy) in SIDES.items() if (x * dx + y * dy > 0) == is_true]
    text = f"Is the {first} {rng.choice(sides)} the {second}?"
    return Question(text, "yes" if is_true else "no", support, n_statements)


def draw_path(rng: Random) -> Iterator[Sequence[Line]]:
    """Practice for qa19: its story with any number of the places that are not on the path."""
    return draw_tree(rng, n_others=rng.randint(0, N_OTHERS))


def draw_tree(rng: Random, *, n_others: int = N_OTHERS) -> Iterator[Sequence[Line]]:
    """qa19: three places on a path of two steps, and the others each one step away from one of these."""
    middle, start, end, *others = rng.sample(HOME.places, 3 + n_others)
    sides = rng.sample(list(COMPASS), 2)
    at = {middle: (0, 0), start: COMPASS[sides[0]], end: COMPASS[sides[1]]}
    taken = {(middle, sides[0]), (middle, sides[1]), (start, OPPOSITE[sides[0]]), (end, OPPOSITE[sides[1]])}
    free = [(place, side) for place in at for side in COMPASS if (place, side) not in taken]
    pairs = [(middle, start), (middle, end)]
    for other, (place, side) in zip(others, rng.sample(free, len(others)), strict=True):
        at[other] = _step_from(at[place], COMPASS[side])  # may be the spot of another place
        pairs.append((place, other))
    rng.shuffle(pairs)
    yield [_line(COMPASS, at, *rng.sample(pair, 2)) for pair in pairs]


def ask_path(history: Sequence[Statement], _: int, rng: Random) -> Question | None:
    """qa19, any index: how do you go two steps? Every other place is beside one of the three on the path.

    None before two steps are stated.
    """
    near = _neighbours(history)
    paths = [
        (start, middle, end)
        for middle in near
        for start, end in permutations(near[middle], 2)
        if near.keys() == near[start].keys() | near[middle].keys() | near[end].keys()
    ]
    if not paths:
        return None
    start, middle, end = rng.choice(paths)
    steps = near[start][middle], near[middle][end]
    answer = ",".join(side[0] for _, side in steps)
    text = f"How do you go from the {start} to the {end}?"
    return Question(text, answer, tuple(line for line, _ in steps), len(history))


def _step_from(point: Point, step: Point, times: int = 1) -> Point:
    return point[0] + times * step[0], point[1] + times * step[1]


def _line(steps: Mapping[str, Point], at: Mapping[str, Point], name: str, beside: str) -> Line:
    """The sentence that states where ``name`` is relative to ``beside``."""
    step = _step_from(at[name], at[beside], -1)
    relation = next(side for side in steps if steps[side] == step)
    facts = {f"position of {x}": f"{point[0]},{point[1]}" for x, point in at.items()}
    return Line(Statement(name, relation, beside), f"The {name} is {relation} the {beside}.", facts)


def _neighbours(history: Sequence[Statement]) -> dict[str, dict[str, tuple[int, str]]]:
    """Each name -> its neighbours -> (index of the statement about both, side the neighbour is on)."""
    near: dict[str, dict[str, tuple[int, str]]] = {}
    for j, statement in enumerate(history):
        near.setdefault(statement.target, {})[statement.subject] = (j, statement.relation)
        near.setdefault(statement.subject, {})[statement.target] = (j, OPPOSITE[statement.relation])
    return near
