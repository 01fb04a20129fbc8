"""Statements and questions about where a person is, put together from parts: thousands of phrasings.

A memory that is trained on eight phrasings learns these eight. The parts make so many that it has to learn
what they have in common. They are for training alone: they make no held-out phrasing of phrasings.py.
"""

from random import Random

_OPENINGS = (
    "", "", "", "", "then ", "after that, ", "after lunch, ", "in the morning, ", "later, ", "soon after, ",
    "this time ", "suddenly ", "in the evening, ", "a moment later, ", "meanwhile, ", "yesterday ", "today ",
    "now ", "once more, ", "as expected, ", "on Monday ", "finally ", "so ", "at noon, ", "for now, ",
    "that day, ", "in the end, ", "just then, ", "first, ", "at last, ", "by now, ", "well, ", "here ",
)  # fmt: skip
_ENDINGS = (
    "", "", "", "", " again", " in a hurry", " at once", " alone", " with a smile", " to rest",
    " for a while", " without a word", " an hour ago",
)  # fmt: skip
_VERBS = (
    "went", "walked", "moved", "ran", "returned", "travelled", "drove", "strolled", "wandered", "sneaked",
    "marched", "rushed", "jogged", "crept", "stepped", "came", "hurried", "headed", "cycled", "made a trip",
    "was sent", "was taken", "was called", "has gone", "has moved", "decided to go", "had to go",
)  # fmt: skip
_DIRECTIONS = ("to", "to", "over to", "back to", "into", "down to", "up to")
_STATEMENTS = (
    "{person} is {at} the {place}", "{person} was seen {at} the {place}",
    "{person} is staying {at} the {place}", "{person} waits {at} the {place}",
    "{person} sat down {at} the {place}", "{person} is working {at} the {place}",
    "{person} stood {at} the {place}", "we met {person} {at} the {place}",
    "somebody saw {person} {at} the {place}", "{person} entered the {place}",
    "{person} reached the {place}", "{person} left for the {place}", "{person} visited the {place}",
    "the place of {person} is the {place}", "{person} slept {at} the {place}",
    "{person} hid {at} the {place}", "{person} lives {at} the {place}",
    "you will meet {person} {at} the {place}", "{person} spends the day {at} the {place}",
    "{person}, who was tired, went to the {place}",
    "a friend took {person} to the {place}", "they brought {person} to the {place}",
    "{person} and a dog went to the {place}",
)  # fmt: skip
_QUESTIONS = (
    "Where is {person}?", "Where is {person} now?", "Where has {person} gone?",
    "Where can {person} be found?", "Do you know where {person} is?", "Where did {person} go?",
    "Can you tell me where {person} is?", "What place did {person} go to last?",
    "In which place is {person}?", "Which place is {person} in?", "Where was {person} last?",
    "What is the location of {person}?", "Where do we find {person}?", "Where does {person} stay?",
    "Tell me where {person} is.", "Say where {person} is.", "I wonder where {person} is.",
    "Is there news of {person}?", "Where should I meet {person}?", "Where might {person} be?",
    "{person} is missing.", "Somebody asked about {person}.",
)  # fmt: skip
_ANSWERS = (
    "{person} is {at} the", "{person} is now {at} the", "{person} has gone to the",
    "{person} can be found {at} the", "Yes, {person} is {at} the", "{person} went to the",
    "{person} is currently {at} the", "The last place {person} went to is the",
    "{person} was last seen {at} the", "{person} stays {at} the", "The place of {person} is the",
    "I think {person} is {at} the", "We can find {person} {at} the", "{person} must be {at} the",
    "You can meet {person} {at} the", "As far as I know, {person} is {at} the",
    "Right now {person} is {at} the", "Of course, {person} is {at} the",
    "It is known that {person} is {at} the", "The answer is that {person} is {at} the",
)  # fmt: skip
_AUXILIARIES = (
    "is", "was", "will be", "can be", "may be", "might be", "must be", "should be", "would be", "has been",
    "had been", "was last", "is often", "is still", "is just being", "seems to be", "used to be",
)  # fmt: skip
_STATES = (
    "seen", "met", "noticed", "spotted", "expected", "heard", "kept", "needed", "awaited", "photographed",
    "asleep", "busy", "hidden", "at work", "safe", "visible", "sitting", "waiting", "resting", "welcomed",
)  # fmt: skip
_MODALS = (
    "can", "may", "will", "must", "might", "would", "should", "wants to", "likes to", "has to", "used to",
    "is going to", "seems to", "could",
)  # fmt: skip
_DOINGS = ("rest", "sit", "wait", "sleep", "work", "be", "stay", "stand", "live", "play", "read")
_MOVES, _PASSIVES, _MODAL = 0.35, 0.2, 0.15  # shares of statements of a kind
_UNASKED = 0.1  # share of prompts without a question


def varied_statement(rng: Random, person: str, place: str, at: str) -> str:
    """A sentence that says that ``person`` is or goes ``at`` ("in", "at", "on") the ``place``."""
    body = rng.choices(
        (
            f"{{person}} {rng.choice(_VERBS)} {rng.choice(_DIRECTIONS)} the {{place}}",
            f"{{person}} {rng.choice(_AUXILIARIES)} {rng.choice(_STATES)} {{at}} the {{place}}",
            f"{{person}} {rng.choice(_MODALS)} {rng.choice(_DOINGS)} {{at}} the {{place}}",
            rng.choice(_STATEMENTS),
        ),
        (_MOVES, _PASSIVES, _MODAL, 1 - _MOVES - _PASSIVES - _MODAL),
    )[0]
    text = f"{rng.choice(_OPENINGS)}{body}{rng.choice(_ENDINGS)}.".format(person=person, place=place, at=at)
    return text[0].upper() + text[1:]


def varied_prompt(rng: Random, person: str, at: str) -> str:
    """A question about where ``person`` is, and the opening of an answer that the place completes."""
    question = "" if rng.random() < _UNASKED else rng.choice(_QUESTIONS) + " "
    return (question + rng.choice(_ANSWERS)).format(person=person, at=at)
