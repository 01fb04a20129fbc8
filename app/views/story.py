"""View: step through a story, see what each sentence wrote, ask at any step. Draws; computes nothing."""

import streamlit as st

from app import loaders
from app.state import BLOCK, HEAD, QUESTION, SLOT, STEP, URL, VIEW, choose_clicked, keep_inside
from app.widgets import ShownStory, draw, pick_model, pick_step, pick_story
from lm2core.trace import Trace
from lm2viz import select
from lm2viz.figures.bars import answer_bars
from lm2viz.figures.heatmap import clickable, fraction_heatmap, signed_heatmap

VIEWS = {"writes": "Who wrote where", "gates": "Gates", "bank": "The bank", "slot": "One slot's history"}
N_ANSWERS = 6


def main() -> None:
    """The page, from top to bottom."""
    st.title("What is in this model's memory?")
    st.markdown(
        "An LM2 reads a story sentence by sentence. Each sentence may **write** to a small bank of memory **slots**; "
        "the words themselves are then gone. A question can only **read** the bank. Step through and watch."
    )
    with st.sidebar:
        model = pick_model()
        story = pick_story()
    try:
        with st.spinner("Reading the story …", show_time=True):
            trace = loaders.load_trace(model, story.sentences)
    except ValueError as error:
        st.error(str(error))
        st.stop()
    keep_inside(STEP, 0, len(story.sentences))
    step = pick_step(len(story.sentences))
    left, right = st.columns([2, 5], gap="large")
    with left:
        draw_story(story, step)
        draw_question(model, story, step)
    with right:
        draw_memory(trace, step)


def draw_story(story: ShownStory, step: int) -> None:
    """The sentences, the current one marked, those to come grey; text is never taken for markup."""
    st.subheader("Story")
    with st.container(height=min(60 + 30 * len(story.sentences), 330), border=True):
        for number, sentence in enumerate(story.sentences, start=1):
            mark = "▶" if number == step else " "
            st.text(f"{mark} {number:>3}  {sentence}" + ("" if number <= step else "   (not read yet)"))


def draw_question(model: str, story: ShownStory, step: int) -> None:
    """Ask the bank of this step, and beside it a fresh bank as control."""
    st.subheader("Ask")
    suggested = story.suggestion(step)
    placeholder = suggested.text if suggested else "Where is Mary?"
    asked = st.text_input("Question", placeholder=placeholder, key=QUESTION, max_chars=200, **URL) or placeholder
    try:
        answer = loaders.load_answer(model, story.sentences, step, asked)
        control = loaders.load_answer(model, story.sentences, 0, asked)
    except ValueError as error:
        st.error(str(error))
        return
    if step == 0:
        st.info("Nothing has been read yet: the bank is fresh, and the answer below is a guess.")
    st.markdown(f"After {step} of {len(story.sentences)} sentences the model answers **{answer.words[0]}** "
                f"({answer.probabilities[0]:.0%}).")
    if suggested and suggested.text == asked and suggested.n_statements == step:
        support = ", ".join(str(i + 1) for i in suggested.support)
        st.markdown(f"The story says **{suggested.answer}** (sentences {support}).")
    words = answer.words[:N_ANSWERS]
    of_control = dict(zip(control.words, control.probabilities, strict=True))
    draw(
        answer_bars(words, answer.probabilities[:N_ANSWERS], [of_control[w] for w in words]),
        key="answers", alt=f"Answer {answer.words[0]} with probability {answer.probabilities[0]:.0%}",
        caption="Long blue bar: the model is sure. Ochre: the same question to a fresh bank, what it says without the story.",
    )
    draw_reads(answer.trace)


def draw_reads(trace: Trace) -> None:
    """Where the last token of the question looked, for every block and head."""
    pattern, rows = select.read_by_head(trace, token=len(trace.tokens[0][0]) - 1)
    slots = [str(n) for n in range(pattern.shape[1])]
    draw(
        fraction_heatmap(pattern, rows=rows, columns=slots, title="Slots the question read", unit="attention"),
        key="reads", alt="Attention of the question's last token over slots, one row per block and head",
        caption="A bright cell: this head of this block took the answer's information from this slot. Rows sum to 1.",
    )


def draw_memory(trace: Trace, step: int) -> None:
    """The chosen picture of what the last sentence did to the bank."""
    st.subheader("Memory")
    view = st.segmented_control("Picture", list(VIEWS), format_func=VIEWS.get, default="writes", required=True,
                                key=VIEW, **URL)
    if step == 0 and view != "slot":
        st.info("No sentence has been read. Press **Next** to read the first one.")
        return
    {"writes": draw_writes, "gates": draw_gates, "bank": draw_bank, "slot": draw_slot}[view](trace, step)


def draw_writes(trace: Trace, step: int) -> None:
    """One heatmap per block: tokens of the sentence by slots."""
    st.caption("A bright cell: this word opened this slot and wrote to it. Blocks write one after the other, from the "
               "first to the last. Click a cell to see the slot's history.")
    for block in trace.blocks:
        strength = select.write_strength(trace, step - 1, block)
        figure = fraction_heatmap(
            strength, rows=select.words_of(trace, step - 1), columns=[str(n) for n in range(strength.shape[1])],
            title=f"Block {block}: how far each word opened each slot", unit="share × input gate",
        )
        key = f"writes_{block}"
        st.plotly_chart(clickable(figure), key=key, width="stretch", config={"displayModeBar": False},
                        on_select=lambda key=key: choose_clicked(key, column=SLOT), selection_mode="points",
                        alt=f"Words by slots, block {block}: strongest {strength.max():.2f}")


def draw_gates(trace: Trace, step: int) -> None:
    """Input gate, kept share and change of every slot."""
    opened, kept = select.slot_gates(trace, step - 1)
    moved = select.slot_change(trace, step - 1)
    rows, slots = [f"block {b}" for b in trace.blocks], [str(n) for n in range(opened.shape[1])]
    draw(fraction_heatmap(opened, rows=rows, columns=slots, title="Input gate: how much new content the slot let in",
                          unit="gate"),
         key="gate_in", alt=f"Input gate by block and slot, largest {opened.max():.2f}",
         caption="Bright: the sentence wrote here. Mean over the slot's width; the sum over words of 'Who wrote where'.")
    draw(fraction_heatmap(kept, rows=rows, columns=slots, title="Forget gate: how much of the old content it kept",
                          unit="kept"),
         key="gate_forget", alt=f"Kept share by block and slot, smallest {kept.min():.2f}",
         caption="Bright: everything was kept. Dark: the old content was erased to make room.")
    draw(fraction_heatmap(moved.clip(0, 1), rows=rows, columns=slots, title="Change: how far the slot moved",
                          unit="RMS change"),
         key="change", alt=f"Change of each slot by block, largest {moved.max():.2f}",
         caption="Bright: the slot's content is now different. Root mean square over its width; above 1 is drawn as 1.")


def draw_bank(trace: Trace, step: int) -> None:
    """All slots before and after the sentence, and the difference, on one scale."""
    before, after = select.bank_before_and_after(trace, step - 1)
    limit = float(max(abs(before).max(), abs(after).max()))
    rows, dims = [str(n) for n in range(len(before))], [str(d) for d in range(before.shape[1])]
    for name, values, what in (
        ("before", before, "Before the sentence"), ("after", after, "After the sentence"),
        ("difference", after - before, "What changed: after minus before"),
    ):
        draw(signed_heatmap(values, rows=rows, columns=dims, title=what, unit="value", limit=limit),
             key=f"bank_{name}", alt=f"Bank {name}: slots by dimensions, largest size {abs(values).max():.2f}",
             caption="One row is one slot. Blue is positive, red negative, white zero; the three pictures share one scale.")


def draw_slot(trace: Trace, step: int) -> None:
    """One slot through the story: when it was written, and which words wrote most."""
    n_slots = trace.select("hook_bank", story=0, segment=0).shape[0]
    keep_inside(SLOT, 0, n_slots - 1)
    slot = st.number_input("Slot", 0, n_slots - 1, 0, key=SLOT, **URL)
    history = select.slot_history(trace, slot)
    figure = fraction_heatmap(
        history, rows=[f"block {b}" for b in trace.blocks], columns=[str(i + 1) for i in range(trace.n_segments)],
        title=f"Input gate of slot {slot} at every sentence", unit="gate", column_title="sentence",
    )
    st.plotly_chart(clickable(figure), key="history", width="stretch", config={"displayModeBar": False},
                    on_select=lambda: choose_clicked("history", column=STEP, offset=1), selection_mode="points",
                    alt=f"Input gate of slot {slot} by block and sentence, largest {history.max():.2f}")
    st.caption("Bright: this sentence wrote to the slot. Click a sentence to go there.")
    writers = select.top_writers(trace, slot, until=step)
    st.markdown(f"Words that opened slot {slot} widest, up to sentence {step}:")
    st.dataframe(
        {"word": [w.word for w in writers], "sentence": [w.segment + 1 for w in writers],
         "block": [w.block for w in writers], "share × input gate": [w.strength for w in writers]},
        hide_index=True,
        column_config={"share × input gate": st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f")},
    )


main()
