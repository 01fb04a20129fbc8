"""Lesson about the paper: how large its lead is on the longest texts."""

from lm2core.compare import published
from lm2core.reading.loaded_model import LoadedModel
from lm2viz.estimates import Estimate
from lm2viz.lessons.charts import Bars
from lm2viz.lessons.lesson import Choice, Lesson, Measured
from lm2viz.lessons.live import Live

LENGTHS = ("0K", "1K", "2K", "4K", "8K", "16K", "32K", "64K", "128K")
LM2, RMT = published.MODELS.index("LM2-1.7B"), published.MODELS.index("RMT-1.7B")
NAN = float("nan")


def _printed(column: int) -> list[float]:
    return [float(published.BABILONG[length][column] or NAN) for length in LENGTHS]


def _the_paper(lm: LoadedModel) -> Measured:
    """Numbers as printed: without intervals, because the paper reports neither seeds nor question counts."""
    lm2, rmt = _printed(LM2), _printed(RMT)
    lead = [a - b for a, b in zip(lm2, rmt, strict=True)]
    return Measured(
        value=Estimate(lead[-1], NAN, NAN, 1),
        control=Estimate(lead[0], NAN, NAN, 1),
        of="Lead of LM2 over RMT at 128K tokens, in points, as printed",
        of_control="Its lead at 0K, where no other text comes between",
        chart=Bars(
            LENGTHS,
            {"LM2-1.7B": [x / 100 for x in lm2], "RMT-1.7B": [x / 100 for x in rmt]},
            x_title="length of the text in tokens",
            y_title="BABILong, mean of ten tasks",
        ),
        caption="Kang et al. 2025 (arXiv 2502.06049), tables 1 and 3, as printed: one number per cell, "
        "without intervals.",
        source="Printed numbers: nothing is measured here.",
        live=Live(text="The page Compare sets these models beside ours.", page="compare"),
        is_share=False,
    )


THE_PAPER = Lesson(
    title="What the paper showed",
    text="The paper trained models of 1.7 billion parameters and tested them on BABILong: bAbI stories "
    "hidden in book text of 0 to 128,000 tokens. It claims that memory helps most on long texts.",
    question="How far is LM2 ahead of RMT at 128K tokens?",
    choices=(
        Choice("Less than 2 points", -100, 2),
        Choice("2 to 10 points", 2, 10),
        Choice("More than 10 points", 10, 100),
    ),
    measure=_the_paper,
    moral="The paper gives no seeds and no intervals, so a small lead cannot be told from chance. The app's "
    "page Compare shows where its tables disagree.",
)
