"""What each slot holds in the model's own words, beside a fresh slot, its sentence and its attention."""

import streamlit as st

from app.loaders.slot_words import load_slot_words
from app.panels.python_code import of_story, slot_words_code
from app.panels.reproduce import draw_reproduce
from app.panels.story_sources import question_after
from app.widgets.pickers import as_text, draw
from app.widgets.shown_story import ShownStory
from app.widgets.waiting import wait_for
from lm2core.errors import UserError
from lm2core.reading.answers import Answer

COLUMNS = {  # with their widths in pixels
    "slot": (44, None, "A slot that this story has written to."),
    "read alone, it says": (130, None, "The likeliest word when the question can read this slot alone."),
    "probability": (84, "percent", "Of that word."),
    "fresh slot": (76, "percent", "Control: of the same word from the same slot before anything is written."),
    "written by": (230, None, "The sentence that wrote the largest share of what the slot holds."),
    "attention": (76, "percent", "What the question pays the slot when it reads all of them."),
}


def draw_slot_words(model: str, story: ShownStory, step: int, answer: Answer | None) -> None:
    """A table of the slots that were written to, those read most first; their bars are folded up."""
    question = question_after(step, answer)
    if question is None:
        return
    try:
        message = "Reading the slots one by one"
        result = wait_for(message, load_slot_words, model, story.sentences, step, question)
    except UserError as error:
        st.info(as_text(error))
        return
    st.markdown(f"**{as_text(result.verdict())}**")
    rows = result.by_attention()
    st.dataframe(
        {
            "slot": [row.slot for row in rows],
            "read alone, it says": [f"{row.word}{'' if row.says else ' ?'}" for row in rows],
            "probability": [row.probability for row in rows],
            "fresh slot": [row.control for row in rows],
            "written by": [f"{row.sentence} {result.sentences[row.sentence - 1]}" for row in rows],
            "attention": [row.attention for row in rows],
        },
        key="slot_words",
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(width=width, help=text, format=form)
            if form
            else st.column_config.Column(width=width, help=text)
            for name, (width, form, text) in COLUMNS.items()
        },
    )
    st.caption(
        "The question is asked again with all its attention on one slot. A question mark: the word has less "
        "than even odds, or less than twice those that a fresh slot gives it. What a slot says alone need "
        "not be read: see the attention."
    )
    with st.expander("As bars", icon=":material/bar_chart:"):
        draw(
            result.figure(),
            key="slot_word_bars",
            alt=result.verdict(),
            caption="Blue: the word's probability from this slot alone. Ochre: control, a fresh slot.",
        )
    draw_reproduce(of_story(model, story.sentences, step, question, slot_words_code(), measure="lens"))
