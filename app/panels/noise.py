"""Parts of the noise page: the text around a step, the answer, the gate along the text and by kind."""

import streamlit as st

from app.loaders import noise
from app.state import STEP, choose_clicked
from app.widgets.pickers import as_text, draw
from lm2core.traces.trace import Trace
from lm2viz.figures.bars import answer_bars
from lm2viz.figures.noise import ANSWER_COLOURS, gate_strips
from lm2viz.stats.noise import BACKGROUND, FACTS, MEANING, GateContrast, is_fact, segment_gates, segment_texts

SHOWN_BEFORE, SHOWN_AFTER = 5, 2  # segments around the one just read
N_ANSWERS = 5


def draw_segments(trace: Trace, step: int) -> None:
    """The segments near the current one; facts are marked with a word and a colour."""
    st.subheader("Text")
    n_facts, n = int(is_fact(trace).sum()), trace.n_segments
    n_unknown = trace.info["n_unknown"]
    unknown = f", {n_unknown} of them unknown to the tokenizer" if n_unknown else ""
    n_tokens = sum(map(len, trace.tokens[0]))
    st.caption(f"{n_tokens:,} tokens{unknown}, {n} segments: {n_facts} facts, {n - n_facts} background")
    segments = trace.info["segments"]
    last = min(n, max(step, SHOWN_BEFORE) + SHOWN_AFTER)
    first = max(0, last - SHOWN_BEFORE - SHOWN_AFTER)
    with st.container(border=True, gap="xsmall"):
        for number, segment in enumerate(segments[first:last], start=first + 1):
            mark = "▶" if number == step else "✓" if number < step else "·"
            if segment["fact"] is None:
                st.text(f"{mark} {number}  {segment['text']}")
            else:
                segment_text = as_text(segment["text"])
                st.markdown(f":orange-badge[{mark} {number}  fact {segment['fact'] + 1}]  **{segment_text}**")
    st.caption(
        "✓ read   ▶ just read   · not read yet. Sentences of more than 32 tokens are split into segments."
    )


def draw_answers(text: tuple[str, str, int], trace: Trace, step: int) -> None:
    """The answer after this step, beside that from the facts alone and from a fresh bank."""
    st.subheader("Ask")
    n_facts_read = int(is_fact(trace)[:step].sum())
    answer, fresh = noise.load_answer(*text, step), noise.load_answer(*text, 0)
    of_facts = noise.load_answer_of_facts(*text, n_facts_read) or fresh
    right = trace.info["answer"]
    st.markdown(
        f"**{as_text(trace.info['question'])}** After {step} of {trace.n_segments} segments, "
        f"{n_facts_read} of them facts, the model answers **{as_text(answer.words[0])}** "
        f"({answer.probabilities[0]:.0%}). The right answer at the end of the text is **{as_text(right)}**."
    )
    words = list(dict.fromkeys((right, *answer.words[:N_ANSWERS])))[:N_ANSWERS]
    banks = {
        "this text": answer,
        "the facts so far, no background": of_facts,
        "control: fresh bank": fresh,
    }
    draw(
        answer_bars(
            words,
            {name: [a.probabilities[a.words.index(word)] for word in words] for name, a in banks.items()},
            colours=ANSWER_COLOURS,
        ),
        key="noise_answers",
        alt="Probability of the right answer: "
        + ", ".join(f"{name} {a.probabilities[a.words.index(right)]:.0%}" for name, a in banks.items()),
        caption="The background costs the difference between the two blue bars. The right answer is on top, "
        "then the most probable others.",
    )


def draw_strips(trace: Trace, measure: str) -> None:
    """The gate of every segment in the order of the text; a click goes to the segment."""
    gates = segment_gates(trace, measure)
    figure = gate_strips(
        gates, is_fact(trace), blocks=trace.blocks, texts=segment_texts(trace), unit=measure.lower()
    )
    figure.update_layout(clickmode="event+select", hovermode="x")
    draw(
        figure,
        key="strips",
        alt=f"Input gate by block and segment, {gates.min():.2f} to {gates.max():.2f}; facts marked",
        caption=f"A high bar: {MEANING[measure]}. Triangles mark facts. Click a bar to go there.",
        on_click=lambda: choose_clicked("strips", column=STEP),
    )


def draw_contrast(contrast: GateContrast) -> None:
    """Facts against background, beside an untrained model."""
    draw(
        contrast.figure(),
        key="contrast",
        alt=f"Input gate on facts and background by block, model and untrained. {contrast.summary()}",
        caption="Where the memory filters, the orange box is above the grey one on the left, but not on the "
        "right, in an untrained model of the same sizes. Points are segments, dashed lines means.",
    )


def draw_means(contrast: GateContrast) -> None:
    """The numbers behind the boxes."""
    kinds = [(kind, is_control) for is_control in (False, True) for kind in (FACTS, BACKGROUND)]
    st.dataframe(
        {"block": contrast.blocks}
        | {
            ("untrained: " if is_control else "") + kind: [
                str(contrast.estimate(block, kind, untrained=is_control) or "none in this text")
                for block in contrast.blocks
            ]
            for kind, is_control in kinds
        },
        hide_index=True,
        width="stretch",
    )
    st.caption(
        "Mean input gate, 95 % interval (from resampling the sentences of this text) and number of segments. "
        "One text says little about others: try another seed."
    )
