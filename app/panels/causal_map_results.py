"""What is measured of pairs and questions: causal map, its parts, attribution, gradients."""

import streamlit as st

from app.loaders import causal
from app.panels.causal_map_pair import PairChoice
from app.panels.reproduce import draw_reproduce, of_answers, of_pairs
from app.state import URL
from app.widgets.pickers import draw
from app.widgets.waiting import wait_for
from lm2viz.causal.pairs import DIRECTIONS
from lm2viz.estimates import Result
from lm2viz.sample.story_sample import StorySample

MAP, PARTS, ATTRIBUTION, GRADIENTS = "Causal map", "Its parts", "Attribution", "Gradients"
OF_PAIRS = (MAP, PARTS)
_BEGINS = (
    "**What is a finding here.** Before the changed sentence the banks of both sides are equal, so no effect "
    "can begin earlier, in pairs or placebos: that it begins there says nothing. What counts is "
    "**how much** one cell carries, beside the same for placebos."
)


def pick_how_many(view: str) -> int:
    """Choose how many pairs, or of attributions how many stories."""
    if view in OF_PAIRS:
        return int(
            st.segmented_control(
                "Pairs",
                causal.N_PAIRS,
                default=causal.N_PAIRS[0],
                required=True,
                key="n_pairs",
                bind=URL,
                format_func=lambda n: "This pair" if n == 1 else str(n),
                help="This pair is the first of them.",
            )
        )
    return int(
        st.segmented_control(
            "Generated stories of the task, each with its questions",
            causal.N_STORIES,
            default=causal.N_STORIES[0],
            required=True,
            key="n_attributed",
            bind=URL,
        )
    )


def draw_map(pair_choice: PairChoice, n: int) -> None:
    """One slot after one sentence, taken from the other side."""
    result = wait_for("Patching every slot after every sentence", causal.load_map, *pair_choice.of(n))
    draw(
        result.figure(),
        key="causal_map",
        alt=result.summary(),
        caption="Each cell: this slot, after this sentence, comes from the other side; the rest is read, the "
        "question asked. Blue, 1: the answer moves as far as by the whole edit. Noising: the edited slot in "
        "the story as told (needed?). Denoising: the other way round (enough?). Frame: the changed sentence.",
    )
    _draw_effect(result, n)
    _draw_pairs_reproduced(pair_choice, n, parts=False)


def draw_parts(pair_choice: PairChoice, n: int) -> None:
    """What of the changed sentence's write carries the change: when, what, where, and how it is read."""
    direction = st.segmented_control(
        "Direction", DIRECTIONS, default=DIRECTIONS[0], required=True, key="patch_direction", bind=URL
    )
    message = "Patching gates, candidates, routing and reads, block by block"
    result = wait_for(message, causal.load_parts, *pair_choice.of(n))
    draw(
        result.figure(direction=direction),
        key="causal_parts",
        alt=result.summary(),
        caption="The same, but only a part of what one block does in the changed sentence comes from the "
        "other side; candidates in every sentence, reads while the question is asked. "
        "Effects of parts need not add up.",
    )
    _draw_effect(result, n)
    _draw_pairs_reproduced(pair_choice, n, parts=True)


def draw_attribution(pair_choice: PairChoice, n: int) -> None:
    """What each block and slot adds to the answer directly."""
    message = f"Asking the questions of {n} stories"
    result = wait_for(message, causal.load_attribution, pair_choice.model, _sample(pair_choice, n))
    draw(
        result.figure(),
        key="attribution",
        alt=result.summary(),
        caption="Right of 0: speaks for the right answer, against the best other word. Lines: 95 % intervals "
        "over stories. Below: the same of single slots. Ochre and grey ask a fresh and a foreign bank.",
    )
    st.markdown(
        f"Sums of the parts miss the logit difference by at most **{result.error:.1e}** logits, sums of "
        "slots "
        f"what memory adds by **{result.slot_error:.1e}**. Only **direct** effects: what an MLP makes of a "
        "read counts as the MLP's. So a small bar does not mean that the answer does without the part."
    )
    _draw_summary(result)
    draw_reproduce(of_answers(pair_choice.model, _sample(pair_choice, n), "attribute_answers"))


def draw_gradients(pair_choice: PairChoice, n: int) -> None:
    """What integrated gradients, and the plain gradient, give each slot."""
    message = f"Following gradients in {n} stories"
    result = wait_for(message, causal.load_gradients, pair_choice.model, _sample(pair_choice, n))
    draw(
        result.figure(),
        key="gradients",
        alt=result.summary(),
        caption="Each slot's part in what the own bank gains over a fresh one; lines: 95 % intervals over "
        "stories. Ochre: the same questions asked of another story's bank.",
    )
    missing = ", ".join(f"{it.method} **{it.relative_error:.1%}** of the gain" for it in result.by_method)
    st.markdown(
        f"What sums over slots miss: {missing}. Whether a slot with a large share is needed is said by the "
        "correlation with ablation below, beside that of shuffled slots."
    )
    _draw_summary(result)
    draw_reproduce(of_answers(pair_choice.model, _sample(pair_choice, n), "slot_gradients"))


def _draw_pairs_reproduced(pair_choice: PairChoice, n: int, *, parts: bool) -> None:
    model, task, kind, _, seed = pair_choice.of(n)
    draw_reproduce(of_pairs(model, task, kind, n, max(n, causal.MIN_PLACEBOS), seed, parts=parts))


def _sample(pair_choice: PairChoice, n: int) -> StorySample:
    """The stories whose answers are attributed."""
    return StorySample(pair_choice.task, n, pair_choice.seed)


def _draw_effect(result: Result, n: int) -> None:
    st.markdown(_BEGINS)
    if n == 1:
        st.caption("One pair has no interval: it shows one case. Take 10 or more to speak of the model.")
    _draw_summary(result)


def _draw_summary(result: Result) -> None:
    """Every number with its control, and the table to take away."""
    st.text(result.summary())
    st.download_button(
        "Table",
        lambda: result.table().to_csv(index=False).encode(),
        "causal.csv",
        "text/csv",
        icon=":material/download:",
        key="causal_table",
        on_click="ignore",
    )
