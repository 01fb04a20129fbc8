"""Lessons about gates: which word writes, what happens to old content, what a gate is for."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm2core.reading.loaded_model import LoadedModel
from lm2core.traces.recording import MEMORY_HOOKS
from lm2viz.causal import ClampGate, run
from lm2viz.causal.running import Run, question_texts
from lm2viz.estimates import mean
from lm2viz.lessons.charts import Bars
from lm2viz.lessons.lesson import (
    Choice,
    Lesson,
    Measured,
    each_story,
    lesson_sample,
    measured_on,
    stories_of_questions,
)
from lm2viz.lessons.live import Live, as_staged, over_blocks, place_question
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
        chart=Bars(
            WORDS,
            {"trained": trained.mean(axis=0), "control: untrained": control.mean(axis=0)},
            y_title="share of the sentence's writing",
        ),
        caption="Write strength of each word, summed over slots and blocks, as a share of its sentence's; "
        "mean over sentences.",
        source=measured_on(lm),
        live=_live_writing(lm),
    )


def _live_writing(lm: LoadedModel) -> Live:
    """The first sentence of six words of the first story, and the slot that its place wrote to most."""
    sentences = lesson_sample().stories[0].sentences
    payload = as_staged(lm, sentences, place_question(sentences[0]))
    step = 1 + [len(sentence["words"]) for sentence in payload["sentences"]].index(len(WORDS))
    writes = over_blocks(payload["steps"][step - 1]["writes"])
    place = WORDS.index("the place")
    word, slot = payload["sentences"][step - 1]["words"][place], int(writes[place].argmax())
    return Live(
        text=f"Orange curves are what each word of sentence {step} writes; *{word}* writes most to slot "
        f"**{slot}**. Point at a word to see its curves alone.",
        story=0,
        step=step,
        question=place_question(sentences[step - 1]),
        slot=slot,
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
        chart=Bars(
            ("slot written to most", "all other slots"),
            {
                "trained": [written.mean(), others.mean()],
                "control: untrained": [control_written.mean(), control_others.mean()],
            },
            y_title="share kept",
        ),
        caption="Forget gates of all blocks multiplied (1 keeps everything), mean over the width and over "
        "sentences.",
        source=measured_on(lm),
        live=_live_forgetting(lm),
    )


def _live_forgetting(lm: LoadedModel) -> Live:
    """The sentence of the first story that keeps least of the slot it writes to most."""
    sentences = lesson_sample().stories[0].sentences
    payload = as_staged(lm, sentences, place_question(sentences[0]))
    widest = [int(over_blocks(step["writes"]).sum(axis=0).argmax()) for step in payload["steps"]]
    kept = [step["keep"][slot] for step, slot in zip(payload["steps"], widest, strict=True)]
    at = int(np.argmin(kept))
    return Live(
        text=f"Sentence {at + 1} writes most to slot **{widest[at]}**, which keeps {kept[at]:.0%} of what it "
        "held. Press Back and Next: the old content fades where the new is written.",
        story=0,
        step=at + 1,
        question=place_question(sentences[at]),
        slot=widest[at],
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


NEVER_FORGET = ClampGate(gate="forget", value=1.0)


def _why_a_gate(lm: LoadedModel) -> Measured:
    edits = {
        "as trained": [],
        "nothing is forgotten": [NEVER_FORGET],
        "everything is forgotten": [replace(NEVER_FORGET, value=0.0)],
        "nothing is written": [ClampGate(gate="in", value=0.0)],
    }
    runs = {
        name: run(lm, lesson_sample().stories, held)
        for name, held in track(edits.items(), "clamping gates", "variant")
    }
    variants = {name: np.array(each.words) == np.array(each.answers) for name, each in runs.items()}
    stories = stories_of_questions(lesson_sample().stories)
    return Measured(
        value=mean(variants["nothing is forgotten"], groups=stories),
        control=mean(variants["nothing is written"], groups=stories),
        of="Right answers when every forget gate is held at 1",
        of_control="When nothing is written, so that the model can only guess",
        chart=Bars(
            list(variants),
            {"right answers": [hits.mean() for hits in variants.values()]},
            y_title="share of questions",
        ),
        caption="The same questions about the same stories, with gates clamped in all blocks and slots.",
        source=measured_on(lm),
        live=_live_gate(runs["as trained"], runs["nothing is forgotten"]),
    )


def _live_gate(trained: Run, held: Run) -> Live | None:
    """The first question that is answered rightly as trained and wrongly when nothing is forgotten."""
    texts = question_texts(lesson_sample().stories)
    for i, (right, word, without) in enumerate(zip(trained.answers, trained.words, held.words, strict=True)):
        if word == right != without:
            step = int(trained.step[i])
            return Live(
                text=f"*{texts[i]}* after sentence {step}: as trained, the model answers *{word}*. Here "
                f"every forget gate is held at 1, and it answers *{without}*.",
                page="interventions",
                story=int(trained.story[i]),
                step=step,
                question=texts[i],
                edits=(NEVER_FORGET,),
            )
    return None


WHY_A_GATE = Lesson(
    title="Why a gate?",
    text="Suppose the model can never forget: every forget gate is held at 1, and new places are added to "
    "the old ones.",
    question="How many questions does it still answer correctly?",
    choices=(
        Choice("Less than a third", 0.0, 1 / 3),
        Choice("A third to three quarters", 1 / 3, 0.75),
        Choice("Three quarters or more", 0.75, 1.01),
    ),
    measure=_why_a_gate,
    moral="Clamping a gate is an intervention: it shows what this trained model needs. A model trained "
    "without a forget gate might have found another way.",
)
