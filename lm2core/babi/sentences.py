"""Parse sentences of all twenty tasks, published or generated, into statements."""

import re
from collections.abc import Callable, Sequence

from lm2core.babi.animals import FEARS, HAS_COLOUR, IS_A, PLURALS
from lm2core.babi.certainty import EITHER, NOT_IN
from lm2core.babi.directions import COMPASS, SIDES
from lm2core.babi.sizes import BIGGER, FITS
from lm2core.babi.story import Statement
from lm2core.babi.times import SLOTS
from lm2core.babi.together import CONNECTIVES
from lm2core.babi.world import VERBS
from lm2core.errors import UserError


def _one_of(words: Sequence[str]) -> str:
    return f"({'|'.join(words)})"


_SINGULAR = {plural: animal for animal, plural in PLURALS.items()}
_ANIMALS = _one_of([*_SINGULAR])
_MOVE = f"(?:{'|'.join(VERBS['move'])}) the"
_SLOT = _one_of(SLOTS)
_THING = r"([a-z ]+?)"
_FORMS: list[tuple[str, Callable[..., Statement]]] = [
    (rf"{_SLOT} (\w+) {_MOVE} (\w+)", lambda slot, a, place: Statement(a, "move", place, slot.lower())),
    (rf"(\w+) {_MOVE} (\w+) {_SLOT}", lambda a, place, slot: Statement(a, "move", place, slot)),
    (rf"(\w+) and (\w+) {_MOVE} (\w+)", lambda a, b, place: Statement(a, "move", place, b)),
    (
        rf"(\w+) (?:{'|'.join(VERBS['give'])}) the (\w+) to (\w+)",
        lambda a, thing, b: Statement(a, "give", thing, b),
    ),
    (r"(\w+) is (?:not|no longer) in the (\w+)", lambda a, place: Statement(a, NOT_IN, place)),
    (r"(\w+) is in the (\w+)", lambda a, place: Statement(a, "in", place)),
    (r"(\w+) is either in the (\w+) or the (\w+)", lambda a, x, y: Statement(a, EITHER, x, y)),
    (
        rf"{_ANIMALS} are afraid of {_ANIMALS}",
        lambda x, y: Statement(_SINGULAR[x.lower()], FEARS, _SINGULAR[y.lower()]),
    ),
    (r"(\w+) is a (\w+)", lambda a, animal: Statement(a, IS_A, animal)),
    (r"(\w+) is (\w+)", lambda a, trait: Statement(a, HAS_COLOUR, trait)),
    (rf"The {_THING} {_one_of([FITS, BIGGER])} the {_THING}", Statement),
    (rf"The {_THING} is {_one_of([*COMPASS, *SIDES])} the {_THING}", Statement),
]
_FORMS += [
    (
        rf"(\w+) (?:{'|'.join(VERBS[action])}) the (\w+)(?: there)?",
        lambda a, target, action=action: Statement(a, action, target),
    )
    for action in ("move", "get", "drop")
]
_PRONOUN_SENTENCE = re.compile(rf"(?:{'|'.join(CONNECTIVES)}) (?:he|she|they) {_MOVE} (\w+)\.")
_PATTERNS = [(re.compile(rf"{form}\.", re.IGNORECASE), make) for form, make in _FORMS]


def parse(sentences: Sequence[str]) -> list[Statement]:
    """Parse the sentences of a story, one statement each; a pronoun refers to the sentence before it.

    Raises
    ------
    UserError
        When a sentence has the form of no task.
    """
    statements: list[Statement] = []
    for sentence in sentences:
        has_pronoun = _PRONOUN_SENTENCE.fullmatch(sentence)
        if has_pronoun and statements:
            before = statements[-1]
            statements.append(Statement(before.subject, "move", has_pronoun[1], before.other))
        else:
            statements.append(_parse(sentence))
    return statements


def _parse(sentence: str) -> Statement:
    for pattern, make in _PATTERNS:
        if match := pattern.fullmatch(sentence):
            return make(*match.groups())
    raise UserError(f"{sentence!r} fits no bAbI task; write sentences such as 'Mary went to the kitchen.'")
