"""What a page about one story found, each in a sentence beside its control."""

import re

import numpy as np

from lm2core.babi.known_facts import parse_facts
from lm2core.reading.answers import Answer
from lm2core.traces.trace import Trace
from lm2viz.arrays import Array
from lm2viz.story.select import bank_before_after, keep_by_sentence, size_of

MIN_GROWTH = 0.02  # of a slot's change, in [0, 1]; less is not worth a sentence


def answer_in_words(question: str, answer: Answer, fresh: Answer, right: str | None) -> str:
    """The model's answer, whether it is right, and the answer of the fresh bank.

    right : None where it is not known
    """
    is_prompt = not question.endswith("?")  # the beginning of the answer
    asked = f"{question} \u2026" if is_prompt else question
    judged = "" if right is None else ", which is right" if right == answer.words[0] else f", not {right}"
    return (
        f"{asked} The model answers {answer.words[0]} ({answer.probabilities[0]:.0%}){judged}; with an "
        f"empty memory it would answer {fresh.words[0]} ({fresh.probabilities[0]:.0%})."
    )


def update_in_words(trace: Trace, segment: int, slot: int) -> str:
    """How much of a slot a sentence replaced and how far it changed, beside the other slots."""
    keep, change = keep_by_sentence(trace, segment), size_of(bank_before_after(trace, segment)[2])
    others = np.arange(len(keep)) != slot
    return (
        f"In sentence {segment + 1}, slot {slot} keeps {keep[slot]:.0%} of what it held and changes by "
        f"{change[slot]:.2f}; the other slots keep {keep[others].mean():.0%} and change by "
        f"{change[others].mean():.2f} on average."
    )


def edit_in_words(edited: Answer, unedited: Answer, control: Answer, other: int) -> str:
    """Whether edited gates change the answer, and what the same edit in slot ``other`` does."""
    before, after = unedited.words[0], edited.words[0]
    did = f"changes the answer from {before} to {after}"
    if before == after:
        p, q = (of.probabilities[of.words.index(before)] for of in (unedited, edited))
        did = f"leaves the answer {before} ({p:.0%} probable before, {q:.0%} after)"
    return f"The edit {did}; the same edit in slot {other} gives {control.words[0]}."


def written_instead(before: Trace, segment: int, edited: Trace, slot: int) -> str:
    """Where a blocked sentence was written instead: the slot whose change in it grew most.

    edited : of the same sentence alone, with the gates of ``slot`` edited
    """
    was, now = (size_of(bank_before_after(t, s)[2]) for t, s in ((before, segment), (edited, 0)))
    grown = now - was
    grown[slot] = -np.inf
    most = int(grown.argmax())
    if grown[most] < MIN_GROWTH:
        return "No other slot changes more than before."
    return f"Most of it is written to slot {most} instead, which changes by {grown[most]:.2f} more."


def shift_in_words(moved: Array, control: Array) -> str:
    """How far the last word's attention moved, beside an untrained model; arrays of distances by head."""
    return (
        f"Between the two banks, the question's last word moves {moved.mean():.0%} of its attention to other "
        f"slots; in an untrained model, {control.mean():.0%}."
    )


def written_at(trace: Trace, question: str) -> int | None:
    """The sentence, counted from 1, that told what "Where is X?" asks for; None where none did."""
    known, asked = parse_facts(trace.info["stories"][0]["sentences"]), re.search(r"(\w+)\?", question)
    fact = known[-1].get(f"place of {asked[1]}") if known and asked else None
    return None if fact is None else fact.since + 1
