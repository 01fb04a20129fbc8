"""The ways to say each kind of statement, and to ask each kind of question.

Each has ``N_PHRASINGS``, of which every fifth is never trained on (lexicon.py): the fifth and the last. The
answer to a question is what continues its opening, in one word, so a language model answers in its own words.
Fields: {person}, {place} with its preposition {at}, {thing}, and {other}, the receiver of a give.
"""

from collections.abc import Mapping
from types import MappingProxyType

N_PHRASINGS = 10

# By the relation of lm2core.babi.story.Statement.
STATEMENTS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "move": (
            "{person} went to the {place}.",
            "{person} walked over to the {place}.",
            "{person} is now {at} the {place}.",
            "{person} moved to the {place}.",
            "{person} has just arrived {at} the {place}.",
            "{person} headed over to the {place}.",
            "{person} hurried to the {place}.",
            "A little later, {person} was {at} the {place}.",
            "{person} came to the {place}.",
            "Next, {person} could be found {at} the {place}.",
        ),
        "get": (
            "{person} picked up the {thing}.",
            "{person} took the {thing}.",
            "{person} grabbed the {thing} there.",
            "{person} got the {thing}.",
            "{person} got hold of the {thing}.",
            "{person} now has the {thing}.",
            "{person} found the {thing} and kept it.",
            "{person} picked the {thing} up.",
            "The {thing} was picked up by {person}.",
            "{person} reached for the {thing} and took it.",
        ),
        "drop": (
            "{person} put down the {thing}.",
            "{person} dropped the {thing}.",
            "{person} left the {thing} there.",
            "{person} put the {thing} down.",
            "{person} let go of the {thing}.",
            "{person} set the {thing} down there.",
            "{person} no longer wanted the {thing} and left it there.",
            "The {thing} was left behind by {person}.",
            "{person} dropped the {thing} there.",
            "{person} got rid of the {thing} there.",
        ),
        "give": (
            "{person} gave the {thing} to {other}.",
            "{person} gave {other} the {thing}.",
            "{person} handed the {thing} to {other}.",
            "{other} got the {thing} from {person}.",
            "{other} was handed the {thing} by {person}.",
            "{person} passed {other} the {thing}.",
            "{person} passed the {thing} to {other}.",
            "{other} was given the {thing} by {person}.",
            "{other} received the {thing} from {person}.",
            "{person} let {other} have the {thing}.",
        ),
    }
)

# By the forms of questions.py: the question, and how its answer begins.
QUESTIONS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "where-person": (
            ("Where is {person}?", "{person} is {at} the"),
            ("Where is {person} now?", "{person} is now {at} the"),
            ("Where has {person} gone?", "{person} has gone to the"),
            ("Where can {person} be found?", "{person} can be found {at} the"),
            ("Where would you look for {person}?", "I would look for {person} {at} the"),
            ("Do you know where {person} is?", "Yes, {person} is {at} the"),
            ("Where did {person} go?", "{person} went to the"),
            ("Can you tell me where {person} is?", "{person} is currently {at} the"),
            ("What place did {person} go to last?", "The last place {person} went to is the"),
            ("At this point, where is {person}?", "At this point, {person} is {at} the"),
        ),
        "where-thing": (
            ("Where is the {thing}?", "The {thing} is {at} the"),
            ("Where is the {thing} now?", "The {thing} is now {at} the"),
            ("Where can the {thing} be found?", "The {thing} can be found {at} the"),
            ("Do you know where the {thing} is?", "Yes, the {thing} is {at} the"),
            ("Where would you look for the {thing}?", "I would look for the {thing} {at} the"),
            ("Where has the {thing} ended up?", "The {thing} has ended up {at} the"),
            ("Where did the {thing} end up?", "The {thing} ended up {at} the"),
            ("Can you tell me where the {thing} is?", "The {thing} is currently {at} the"),
            ("In the end, where is the {thing}?", "In the end, the {thing} is {at} the"),
            ("At this point, where is the {thing}?", "At this point, the {thing} is {at} the"),
        ),
        "who-has": (
            ("Who has the {thing}?", "The {thing} is with"),
            ("Who has the {thing} now?", "The person who now has the {thing} is"),
            ("Who is holding the {thing}?", "The {thing} is being held by"),
            ("Who is carrying the {thing}?", "The {thing} is being carried by"),
            ("In whose hands is the {thing}?", "The {thing} is in the hands of"),
            ("Do you know who has the {thing}?", "Yes, the {thing} is with"),
            ("Who should I ask for the {thing}?", "For the {thing}, you should ask"),
            ("Can you tell me who has the {thing}?", "The one who has the {thing} is"),
            ("Which person has the {thing}?", "The person who has the {thing} is"),
            ("At this point, who has the {thing}?", "At this point, the {thing} is with"),
        ),
        "what-given": (
            ("What did {person} give to {other}?", "{person} gave {other} the"),
            ("What did {person} give {other}?", "What {person} gave {other} is the"),
            ("What did {other} get from {person}?", "From {person}, {other} got the"),
            ("What did {person} hand to {other}?", "{person} handed {other} the"),
            ("Which thing went from {person} to {other}?", "The thing that went to {other} is the"),
            ("What did {other} receive from {person}?", "From {person}, {other} received the"),
            ("What was {other} given by {person}?", "{other} was given the"),
            ("Do you know what {person} gave {other}?", "Yes, {person} gave {other} the"),
            ("What did {person} pass to {other}?", "{person} passed {other} the"),
            ("What did {person} let {other} have?", "{person} let {other} have the"),
        ),
        "who-gave": (
            ("Who gave the {thing} to {other}?", "The {thing} was given to {other} by"),
            ("Who gave {other} the {thing}?", "{other} was given the {thing} by"),
            ("Who did {other} get the {thing} from?", "{other} got the {thing} from"),
            ("Who handed the {thing} to {other}?", "The {thing} was handed to {other} by"),
            ("From whom did {other} receive the {thing}?", "{other} received the {thing} from"),
            ("Who handed {other} the {thing}?", "{other} was handed the {thing} by"),
            ("Who passed the {thing} to {other}?", "The {thing} was passed to {other} by"),
            ("Do you know who gave {other} the {thing}?", "Yes, {other} was given the {thing} by"),
            ("Which person gave {other} the {thing}?", "The person who gave {other} the {thing} is"),
            ("Who let {other} have the {thing}?", "The one who let {other} have the {thing} is"),
        ),
        "who-received": (
            ("Who did {person} give the {thing} to?", "{person} gave the {thing} to"),
            ("Who got the {thing} from {person}?", "The one who got the {thing} from {person} is"),
            ("Who received the {thing} from {person}?", "From {person}, the {thing} went to"),
            ("Who did {person} hand the {thing} to?", "{person} handed the {thing} to"),
            ("To whom did {person} give the {thing}?", "The {thing} was given by {person} to"),
            ("Who was given the {thing} by {person}?", "The person who was given the {thing} is"),
            ("Who did {person} pass the {thing} to?", "{person} passed the {thing} to"),
            ("Do you know who {person} gave the {thing} to?", "Yes, {person} gave the {thing} to"),
            ("Which person got the {thing} from {person}?", "The person who got it from {person} is"),
            ("Who did {person} let have the {thing}?", "{person} let the {thing} go to"),
        ),
        "whether-place": (
            ("Is {person} {at} the {place}?", "The answer is"),
            ("Is {person} {at} the {place} now?", "The answer is"),
            ("Is {person} {at} the {place} at the moment?", "The correct answer is"),
            ("Can {person} be found {at} the {place}?", "The answer to that is"),
            ("Is it true that {person} is {at} the {place}?", "The short answer is"),
            ("Is {person} currently {at} the {place}?", "Yes or no? The answer is"),
            ("Would I find {person} {at} the {place}?", "The answer is a clear"),
            ("Has {person} gone to the {place} and stayed there?", "The answer is"),
            ("Do you think that {person} is {at} the {place}?", "My answer is"),
            ("If I went to the {place}, would {person} be there?", "The answer would be"),
        ),
        "how-many": (
            ("How many things does {person} have?", "The number of things {person} has is"),
            ("How many things is {person} carrying?", "The number of things {person} is carrying is"),
            ("How many things is {person} holding?", "The answer is"),
            ("How many things does {person} have now?", "The number of things {person} now has is"),
            ("What number of things does {person} hold?", "The number is"),
            ("How many things does {person} hold?", "The number of things {person} holds is"),
            ("Do you know how many things {person} has?", "Yes, the number of things is"),
            ("Can you tell me how many things {person} is carrying?", "The count is"),
            ("How many of the things are with {person}?", "The number of things with {person} is"),
            ("Of all these things, how many does {person} have?", "The total is"),
        ),
    }
)
