"""Lessons about gates: which word writes, what happens to old content, what a gate is for."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.lessons.lesson import (
    Choice,
    Lesson,
    Measured,
    each_story,
    lesson_sample,
    stories_of_questions,
)
from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.recording import MEMORY_HOOKS
from lm2viz.causal import ClampGate, run
from lm2viz.estimates import mean
from lm2viz.figures.bars import paired_bars
from lm2viz.progress import track
from lm2viz.story import select

WORDS = ("the person", "the verb", "to", "the", "the place", "the full stop")


def _written(lm: LoadedModel) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each word's share of what its sentence wrote, (n_sentences, 6), and the story of each sentence.

    Sentences of another form, such as *Mary went back to the office.*, are excluded.
    """
    shares, stories = [], []
    for number, (trace, story) in enumerate(each_story(lesson_sample().read(lm, MEMORY_HOOKS))):
        for segment, words in enumerate(trace.tokens[story]):
            if len(words) == len(WORDS):
                strength = sum(
                    select.write_strength(trace, segment, block, story=story).sum(axis=1)
                    for block in trace.blocks
                )
                shares.append(strength / np.sum(strength))
                stories.append(number)
    return np.array(shares), np.array(stories)


def _writing(lm: LoadedModel) -> Measured:
    (trained, stories), (control, _) = (_written(each) for each in lesson_sample().model_and_control(lm))
    place = WORDS.index("the place")
    return Measured(
        value=mean(trained[:, place], groups=stories),
        control=mean(control[:, place], groups=stories),
        of="Share of the writing that the word for the place does",
        of_control=f"In an untrained model of the same sizes (one of {len(WORDS)} words: "
        f"{1 / len(WORDS):.0%})",
        figure=paired_bars(
            WORDS,
            {"trained": trained.mean(axis=0), "control: untrained": control.mean(axis=0)},
            x_title="",
            y_title="share of the sentence's writing",
        ),
        caption="Write strength of each word, summed over slots and blocks, as a share of its sentence's; "
        "mean over sentences.",
    )


WRITING = Lesson(
    title="Writing",
    text="Each word has an **input gate**, which decides how much of the word's candidate is written, and "
    "**routing**, which decides to which slots. In *Mary went to the kitchen.* six tokens can write.",
    question="How much of the writing does *kitchen* do?",
    choices=(
        Choice("An even share (a sixth) or less", 0.0, 0.2),
        Choice("More than an even share, but not most", 0.2, 0.5),
        Choice("Most of it", 0.5, 1.01),
    ),
    measure=_writing,
    moral="A word that writes much need not write what matters. Later words have seen the place by "
    "self-attention, so the full stop can carry it too. Provenance follows content, not gates.",
)


def _share_kept(lm: LoadedModel) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """The share that each sentence kept of the slot it wrote to most and of the others; and its story."""
    written, others, stories = [], [], []
    for number, (trace, story) in enumerate(each_story(lesson_sample().read(lm, MEMORY_HOOKS))):
        for segment in range(len(trace.tokens[story])):
            opened, _ = select.slot_gates(trace, segment, story=story)
            total = select.keep_by_sentence(trace, segment, story=story)
            slot = int(opened.sum(axis=0).argmax())
            written.append(total[slot])
            others.append(np.delete(total, slot).mean())
            stories.append(number)
    return np.array(written), np.array(others), np.array(stories)


def _forgetting(lm: LoadedModel) -> Measured:
    trained, control = (_share_kept(each) for each in lesson_sample().model_and_control(lm))
    (written, others, stories), (control_written, control_others, _) = trained, control
    return Measured(
        value=mean(written, groups=stories),
        control=mean(others, groups=stories),
        of="Share kept of the slot that a sentence wrote to most",
        of_control="Share kept of all other slots",
        figure=paired_bars(
            ("slot written to most", "all other slots"),
            {
                "trained": [written.mean(), others.mean()],
                "control: untrained": [control_written.mean(), control_others.mean()],
            },
            x_title="",
            y_title="share kept",
        ),
        caption="Forget gates of all blocks multiplied (1 keeps everything), mean over the width and over "
        "sentences.",
    )


FORGETTING = Lesson(
    title="Forgetting",
    text="Mary was in the kitchen and goes to the office. If the slot only added the office, it would hold "
    "both places. The **forget gate** decides what share of its old content a slot keeps while a sentence "
    "is read.",
    question="What share is kept of the slot that a sentence writes to most?",
    choices=(
        Choice("Nearly nothing: less than a fifth", 0.0, 0.2),
        Choice("Part of it", 0.2, 0.7),
        Choice("Nearly all of it", 0.7, 1.01),
    ),
    measure=_forgetting,
    moral="A lasting memory has to make room where something new is said and keep everything else. A forget "
    "gate at 0.9 per sentence sounds high, but keeps only 0.35 after ten.",
)


def _accuracy(lm: LoadedModel, *edits: ClampGate) -> NDArray[Any]:
    answered = run(lm, lesson_sample().stories, edits)
    return np.array(answered.words) == np.array(answered.answers)


def _why_a_gate(lm: LoadedModel) -> Measured:
    never = ClampGate(gate="forget", value=1.0)
    edits = {
        "as trained": [],
        "nothing is forgotten": [never],
        "everything is forgotten": [replace(never, value=0.0)],
        "nothing is written": [ClampGate(gate="in", value=0.0)],
    }
    variants = {
        name: _accuracy(lm, *held) for name, held in track(edits.items(), "clamping gates", "variant")
    }
    stories = stories_of_questions(lesson_sample().stories)
    return Measured(
        value=mean(variants["nothing is forgotten"], groups=stories),
        control=mean(variants["nothing is written"], groups=stories),
        of="Right answers when every forget gate is held at 1",
        of_control="When nothing is written, so that the model can only guess",
        figure=paired_bars(
            list(variants),
            {"right answers": [hits.mean() for hits in variants.values()]},
            x_title="",
            y_title="share of questions",
        ),
        caption="The same questions about the same stories, with gates clamped in all blocks and slots.",
    )


WHY_A_GATE = Lesson(
    title="Why a gate?",
    text="Suppose the model can never forget: every forget gate is held at 1, and new places are added to "
    "the old ones.",
    question="How many questions does it still answer correctly?",
    choices=(
        Choice("Less than a third", 0.0, 1 / 3),
        Choice("A third to two thirds", 1 / 3, 2 / 3),
        Choice("Two thirds or more", 2 / 3, 1.01),
    ),
    measure=_why_a_gate,
    moral="Clamping a gate is an intervention: it shows what this trained model needs. A model trained "
    "without a forget gate might have found another way.",
)
