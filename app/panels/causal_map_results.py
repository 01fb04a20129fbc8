"""Measurements on pairs and questions: causal map, its parts, attribution, gradients.

Each draws its result and returns the verdict, which stands on top of the page.
"""

import streamlit as st

from app.loaders import causal
from app.panels.causal_map_pair import PairChoice
from app.panels.reproduce import draw_reproduce, of_answers, of_pairs
from app.state import URL
from app.widgets.measured import fold_numbers
from app.widgets.pickers import draw
from app.widgets.waiting import wait_for
from lm2viz.causal.pairs import DIRECTIONS
from lm2viz.estimates import Result
from lm2viz.sample.story_sample import StorySample

MAP, PARTS, ATTRIBUTION, GRADIENTS = "Causal map", "Parts", "Attribution", "Gradients"
OF_PAIRS = (MAP, PARTS)
_FINDING = (
    "**What counts as a finding.** Before the changed sentence the banks of both sides are equal, so no "
    "effect can begin earlier, in pairs or in placebos: where it begins says nothing. What counts is "
    "**how much** one cell carries, compared with placebos."
)


def pick_how_many(view: str) -> int:
    """Choose how many pairs, or for attributions how many stories."""
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
                help="The pair above is the first of them.",
            )
        )
    return int(
        st.segmented_control(
            "Generated stories of the task, with their questions",
            causal.N_STORIES,
            default=causal.N_STORIES[0],
            required=True,
            key="n_attributed",
            bind=URL,
        )
    )


def draw_map(pair_choice: PairChoice, n: int) -> str:
    """The effect of taking one slot after one sentence from the other side."""
    result = wait_for("Patching every slot after every sentence", causal.load_map, *pair_choice.of(n))
    draw(
        result.figure(),
        key="causal_map",
        alt=result.summary(),
        caption="Each cell: the effect of taking this slot, after this sentence, from the other side. 1 "
        "(blue): the answer moves as far as by the whole edit. Noising puts the edited slot into the "
        "original story (is it needed?), denoising the original slot into the edited one (is it enough?). "
        "Frame: the changed sentence.",
    )
    _draw_effect(result, n)
    _draw_pairs_reproduced(pair_choice, n, parts=False)
    return result.verdict


def draw_parts(pair_choice: PairChoice, n: int) -> str:
    """Which part carries the change: gates (when), candidates (what), routing (where) or reads."""
    direction = st.segmented_control(
        "Direction", DIRECTIONS, default=DIRECTIONS[0], required=True, key="patch_direction", bind=URL
    )
    message = "Patching gates, candidates, routing and reads, block by block"
    result = wait_for(message, causal.load_parts, *pair_choice.of(n))
    draw(
        result.figure(direction=direction),
        key="causal_parts",
        alt=result.summary(),
        caption="The effect of taking one part of what a block does in the changed sentence from the other "
        "side; candidates in every sentence, reads while the question is asked. The effects of parts need "
        "not sum to that of the whole.",
    )
    _draw_effect(result, n)
    _draw_pairs_reproduced(pair_choice, n, parts=True)
    return result.verdict


def draw_attribution(pair_choice: PairChoice, n: int) -> str:
    """What each block and slot adds to the answer directly."""
    message = f"Asking the questions of {n} stories"
    result = wait_for(message, causal.load_attribution, pair_choice.model, _sample(pair_choice, n))
    draw(
        result.figure(),
        key="attribution",
        alt=result.summary(),
        caption="Right of 0: in favour of the right answer over the best other word. Below: the same for "
        "single slots. Lines: 95 % intervals over stories. Ochre and grey: controls that ask a fresh bank "
        "and another story's bank.",
    )
    st.markdown(
        f"The parts sum to the logit difference within **{result.error:.1e}** logits, the slots to what "
        f"memory adds within **{result.slot_error:.1e}**. These are **direct** effects: what an MLP makes of "
        "a read counts as the MLP's. So a part with a small bar may still be needed."
    )
    _draw_summary(result)
    draw_reproduce(of_answers(pair_choice.model, _sample(pair_choice, n), "attribute_answers"))
    return result.verdict


def draw_gradients(pair_choice: PairChoice, n: int) -> str:
    """What integrated gradients and the plain gradient attribute to each slot."""
    message = f"Computing gradients in {n} stories"
    result = wait_for(message, causal.load_gradients, pair_choice.model, _sample(pair_choice, n))
    draw(
        result.figure(),
        key="gradients",
        alt=result.summary(),
        caption="Each slot's share of what the story's bank gains over a fresh one. Lines: 95 % intervals "
        "over stories. Ochre: control, the same questions asked of another story's bank.",
    )
    missing = ", ".join(f"{it.method} **{it.relative_error:.1%}** of the gain" for it in result.by_method)
    st.markdown(
        f"What sums over slots miss: {missing}. A slot with a large share need not be needed: see the "
        "correlation with ablation below, beside its control of shuffled slots."
    )
    _draw_summary(result)
    draw_reproduce(of_answers(pair_choice.model, _sample(pair_choice, n), "slot_gradients"))
    return result.verdict


def _draw_pairs_reproduced(pair_choice: PairChoice, n: int, *, parts: bool) -> None:
    model, task, kind, _, seed = pair_choice.of(n)
    draw_reproduce(of_pairs(model, task, kind, n, max(n, causal.MIN_PLACEBOS), seed, parts=parts))


def _sample(pair_choice: PairChoice, n: int) -> StorySample:
    """The stories whose answers are attributed."""
    return StorySample(pair_choice.task, n, pair_choice.seed)


def _draw_effect(result: Result, n: int) -> None:
    st.markdown(_FINDING)
    if n == 1:
        st.caption(
            "One pair is a single case without an interval. Choose 10 or more to learn about the model."
        )
    _draw_summary(result)


def _draw_summary(result: Result) -> None:
    """Every number with its control, and the table to download."""
    fold_numbers(result)
    st.download_button(
        "Download table",
        lambda: result.table().to_csv(index=False).encode(),
        "causal.csv",
        "text/csv",
        icon=":material/download:",
        key="causal_table",
        on_click="ignore",
    )
