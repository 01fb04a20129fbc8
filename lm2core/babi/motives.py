"""Task 20: people who want something, go where it is and get it, and why they do.

Source: Weston et al. 2015, arXiv:1502.05698, version 1.2 of the data.
"""

from collections.abc import Iterator, Sequence
from random import Random
from types import MappingProxyType

from lm2core.babi.story import Facts, Line, Question, Statement, last_index
from lm2core.babi.world import VERBS

PEOPLE = ("Antoine", "Jason", "Sumit", "Yann")
GOALS = MappingProxyType(  # motive -> where one goes for it, and what one gets there
    {
        "hungry": ("kitchen", "apple"),
        "thirsty": ("kitchen", "milk"),
        "bored": ("garden", "football"),
        "tired": ("bedroom", "pajamas"),
    }
)
_STEPS = ("is", "move", "get")
# Shares of published stories by how many people get what they want. Fitted.
_N_GETS = MappingProxyType({2: 0.40, 3: 0.525, 4: 0.075})


def draw_lines(rng: Random) -> Iterator[Sequence[Line]]:
    """Draw one sentence at a time, about somebody who has a step left to take."""
    motive_of = {name: rng.choice(list(GOALS)) for name in PEOPLE}
    facts = {f"motive of {name}": motive for name, motive in motive_of.items()}
    n_gets = rng.choices(list(_N_GETS), list(_N_GETS.values()))[0]
    n_done = dict.fromkeys(PEOPLE, 0)
    while True:
        may_get = n_gets > sum(n == len(_STEPS) for n in n_done.values())
        able = [name for name, n in n_done.items() if n < len(_STEPS) - (not may_get)]
        if not able:
            return
        name = rng.choice(able)
        yield [_line(rng, name, motive_of[name], _STEPS[n_done[name]], facts)]
        n_done[name] += 1


def ask_motive(history: Sequence[Statement], i: int, _: Random) -> Question | None:
    """Where will the person of statement ``i`` go, or why did they move or get it? The motive answers it."""
    statement = history[i]
    name = statement.subject.lower()
    motive_line = last_index(history, i + 1, lambda s: s.subject == statement.subject and s.relation == "is")
    assert motive_line is not None
    motive = history[motive_line].target
    text, answer = {
        "is": (f"Where will {name} go?", GOALS[motive][0]),
        "move": (f"Why did {name} go to the {statement.target}?", motive),
        "get": (f"Why did {name} get the {statement.target}?", motive),
    }[statement.relation]
    return Question(text, answer, (motive_line,), len(history))


def _line(rng: Random, name: str, motive: str, step: str, facts: Facts) -> Line:
    """Make the sentence of a step, and add its fact to ``facts``."""
    place, thing = GOALS[motive]
    if step == "is":
        return Line(Statement(name, step, motive), f"{name} is {motive}.", dict(facts))
    verb = rng.choice(VERBS[step])
    if step == "move":
        facts[f"place of {name}"] = place
        return Line(Statement(name, step, place), f"{name} {verb} the {place}.", dict(facts))
    facts[f"thing of {name}"] = thing
    return Line(Statement(name, step, thing), f"{name} {verb} the {thing} there.", dict(facts))
