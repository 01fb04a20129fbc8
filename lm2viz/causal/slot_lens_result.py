"""The result of the slot lens: a word for each slot, its control, its sentence and its part in the read."""

from dataclasses import asdict, dataclass

import pandas as pd
import plotly.graph_objects as go

from lm2viz.figures.bars import answer_bars

N_NAMED = 8  # words in the verdict
SAYS_FROM = 0.5  # probability from which on a slot says a word, if a fresh slot gives it at most half of that


def says_word(probability: float, control: float) -> bool:
    """Whether a slot says a word: with at least even odds, and at least twice those of a fresh slot."""
    return probability >= max(SAYS_FROM, 2 * control)


@dataclass(frozen=True, slots=True)
class SlotWord:
    """What one slot makes the question say.

    word : the likeliest token when the question reads this slot alone
    probability, control : of that word, from this slot and from the same slot of a fresh bank, in [0, 1]
    sentence : the one, from 1, that wrote the largest share of what the slot holds
    share : that share, signed; shares of all sentences and of the start bank sum to 1
    attention : of the question's last word to the slot when it reads all of them, mean over heads and blocks,
        in [0, 1]
    """

    slot: int
    word: str
    probability: float
    control: float
    sentence: int
    share: float
    attention: float

    @property
    def says(self) -> bool:
        """Whether the slot says its word, as ``says_word``."""
        return says_word(self.probability, self.control)


@dataclass(frozen=True, slots=True)
class SlotLens:
    """The slots that a story wrote to, each read alone by one question.

    answer, probability : what the question is answered with when it reads all slots as it will
    """

    model: str
    question: str
    answer: str
    probability: float
    sentences: tuple[str, ...]
    n_slots: int
    rows: tuple[SlotWord, ...]

    def verdict(self) -> str:
        """The finding in one sentence."""
        n, saying = len(self.sentences), [row for row in self.by_attention() if row.says]
        read = f"After {n} {'sentence' if n == 1 else 'sentences'}, {len(self.rows)} of {self.n_slots} slots"
        read += " have been written"
        if not saying:
            return f"{read}; read alone, none makes the model say a word of its own."
        words = ", ".join(f"{row.word} (slot {row.slot})" for row in saying[:N_NAMED])
        words += f" and {len(saying) - N_NAMED} more" if len(saying) > N_NAMED else ""
        verb = "makes" if len(saying) == 1 else "make"
        return f"{read}; read alone, {len(saying)} {verb} the model say a word of its own: {words}."

    def by_attention(self) -> list[SlotWord]:
        """The rows, those that the question reads most first."""
        return sorted(self.rows, key=lambda row: -row.attention)

    def summary(self) -> str:
        """The verdict, the answer, and a line for each slot."""
        lines = [
            self.verdict(),
            f"{self.question} {self.answer} ({self.probability:.1%}), reading all slots",
            "slot  read alone says          fresh slot  written by          attention",
        ]
        for row in self.by_attention():
            said = f"{row.word} ({row.probability:.1%})"
            by = f"sentence {row.sentence} ({row.share:.0%})"
            lines.append(f"{row.slot:>4}  {said:<23}  {row.control:>10.1%}  {by:<18}  {row.attention:>9.1%}")
        return "\n".join(lines)

    def table(self) -> pd.DataFrame:
        """One row per slot, with ``SlotWord``'s values and the text of the sentence."""
        rows = [asdict(row) | {"says": row.says} for row in self.rows]
        table = pd.DataFrame(rows, columns=[*SlotWord.__slots__, "says"])
        return table.assign(text=[self.sentences[row.sentence - 1] for row in self.rows])

    def figure(self) -> go.Figure:
        """Probability of each slot's word, with the control; the slots read most on top."""
        rows = self.by_attention()
        return answer_bars(
            [f"slot {row.slot}: {row.word}" for row in rows],
            {
                "this slot alone": [row.probability for row in rows],
                "control: the same slot, fresh": [row.control for row in rows],
            },
        )
