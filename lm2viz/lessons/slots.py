"""Lessons about slots: how many of them a sentence changes, and how many a question reads."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from lm2core.reading.loaded_model import LoadedModel
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

CHANGE_THRESHOLD = 0.5  # of the change of the slot that changed most


def _slot_changes(lm: LoadedModel) -> NDArray[Any]:
    """How much the second sentence changed each slot, (n_stories, n_slots), sorted, the largest 1."""
    traces = lesson_sample().read(lm)
    first, second = (np.concatenate([x.arrays["hook_bank"][:, s] for x in traces]) for s in (0, 1))
    size = np.sqrt(((second - first) ** 2).mean(axis=-1))
    shares: NDArray[Any] = np.sort(size / size.max(axis=1, keepdims=True), axis=1)[:, ::-1]
    return shares


def _what_is_a_slot(lm: LoadedModel) -> Measured:
    trained, control = (_slot_changes(each) for each in lesson_sample().model_and_control(lm))
    places = [str(i + 1) for i in range(trained.shape[1])]
    return Measured(
        value=mean((trained > CHANGE_THRESHOLD).mean(axis=1)),
        control=mean((control > CHANGE_THRESHOLD).mean(axis=1)),
        of="Slots that a sentence changed at least half as much as the slot it changed most",
        of_control="In an untrained model of the same sizes",
        chart=Bars(
            places,
            {"trained": trained.mean(axis=0), "control: untrained": control.mean(axis=0)},
            x_title="slots, the most changed first",
            y_title="change, as share of the largest",
        ),
        caption="How much the second sentence of a story changed each slot, mean over stories. A steep fall: "
        "few slots took the sentence.",
        source=measured_on(lm),
        live=_live_change(lm),
    )


def _live_change(lm: LoadedModel) -> Live:
    """The second sentence of the first story, and the slot that it changed most."""
    sentences = lesson_sample().stories[0].sentences
    payload = as_staged(lm, sentences, place_question(sentences[1]))
    change = np.array(payload["steps"][1]["change"])
    slot, n_more = int(change.argmax()), int((change > CHANGE_THRESHOLD * change.max()).sum()) - 1
    others = f"{n_more} other{'s' * (n_more > 1)}" if n_more else "no other"
    return Live(
        text=f"Sentence 2 changes slot **{slot}** most, and {others} of the {change.size} slots at least "
        "half as much. The more a slot changes, the stronger its fill.",
        story=0,
        step=2,
        question=place_question(sentences[1]),
        slot=slot,
    )


WHAT_IS_A_SLOT = Lesson(
    title="What is a slot?",
    text="The model reads *Mary went to the kitchen.* and never sees these words again. What remains is a "
    "bank of **slots**, each a row of numbers. A sentence could change all of them a little, or a few of "
    "them a lot.",
    question="How many of the slots does one sentence change a lot?",
    choices=(
        Choice("Less than a quarter", 0.0, 0.25),
        Choice("About half", 0.25, 0.75),
        Choice("Nearly all", 0.75, 1.01),
    ),
    measure=_what_is_a_slot,
    moral="A slot is a place with an address, and the model learnt where a sentence goes: compare the "
    "untrained model, which has the same equations. How many slots change does not say what is in them.",
)


def _read_widths(lm: LoadedModel) -> NDArray[Any]:
    """The share of the bank that the last word of each question reads, (n_questions, n_blocks).

    The number of slots read is the exponential of the attention's entropy, mean over heads: 1 where a single
    slot has all attention.
    """
    sample = lesson_sample()
    widths = []
    for trace, question in each_story(sample.questions(lm, sample.read(lm))):
        n_words = len(trace.tokens[question][0])
        heads = trace.over_blocks("hook_read_pattern", story=question, segment=0)[:, :, n_words - 1]
        entropy = -(heads * np.log(np.maximum(heads, 1e-12))).sum(axis=-1)
        widths.append(np.exp(entropy).mean(axis=1) / heads.shape[-1])
    return np.array(widths)


def _reading(lm: LoadedModel) -> Measured:
    trained, control = (_read_widths(each) for each in lesson_sample().model_and_control(lm))
    stories, blocks = stories_of_questions(lesson_sample().stories), lm.model.config.memory_blocks
    chooses = stories % 2 == 0  # the block is chosen on every second story and measured on the others
    narrowest, of_control = (int(x[chooses].mean(axis=0).argmin()) for x in (trained, control))
    return Measured(
        value=mean(trained[~chooses, narrowest], groups=stories[~chooses]),
        control=mean(control[~chooses, of_control], groups=stories[~chooses]),
        of=f"Share of the bank that the question's last word reads in block {blocks[narrowest]}, the most "
        "selective one",
        of_control="In an untrained model of the same sizes, in its most selective block",
        chart=Bars(
            [f"block {block}" for block in blocks],
            {"trained": trained.mean(axis=0), "control: untrained": control.mean(axis=0)},
            y_title="share of the bank that is read",
        ),
        caption="Exponential of the entropy of attention over slots, mean over heads and questions. 100 %: "
        "all slots are read equally.",
        source=measured_on(lm),
        live=_live_reading(lm),
    )


def _live_reading(lm: LoadedModel) -> Live:
    """The first question of a story that was measured, and the slot that it reads most."""
    story = lesson_sample().stories[1]
    question = story.questions[0]
    payload = as_staged(lm, story.sentences, question.text)
    reads = over_blocks(payload["questions"][0]["steps"][question.n_statements]["reads"])
    slot = int(reads.argmax())
    return Live(
        text=f"Blue curves are what *{question.text}* reads after sentence {question.n_statements}, over all "
        f"blocks: most of it from slot **{slot}**.",
        story=1,
        step=question.n_statements,
        question=question.text,
        slot=slot,
    )


READING = Lesson(
    title="Reading",
    text="To answer *Where is Mary?* each word of the question reads the slots with **attention** that sums "
    "to 1 over the bank. It could rest on a single slot, or be spread evenly over all of them.",
    question="How much of the bank does the last word read, in the block where it is most selective?",
    choices=(
        Choice("One or two slots: less than a tenth of the bank", 0.0, 0.1),
        Choice("Some of it: a tenth to two thirds", 0.1, 0.67),
        Choice("Nearly all of it", 0.67, 1.01),
    ),
    measure=_reading,
    moral="Attention shows where a word looks, not what it uses: it may look at many slots that hold the "
    "same, or nothing useful. Only an edit shows whether a slot matters: see the lesson on causes.",
)
