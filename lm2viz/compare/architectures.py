"""The results of ``lm2 compare`` as data frames and a plot: accuracy of each architecture by length."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from lm2core.compare import published
from lm2core.compare.markdown import NAMES
from lm2core.errors import UserError
from lm2viz.figures.comparison import Line, lines_by_length

LONGER, NOISE = "Longer stories", "Noise after the facts"
TESTS = (LONGER, NOISE)
ARCHITECTURE = "Architecture"
VARIED = {  # what differs between the models, and the group of runs that varies it
    ARCHITECTURE: "main",
    "Blocks with memory": "layers",
    "Number of slots": "slots",
    "Steps of training": "longer",
}
X_TITLES = {LONGER: "sentences before the question", NOISE: "sentences of noise after the facts"}
FLOORS = {"majority": "baseline: majority answer", "last_mentioned": "baseline: last place named"}


@dataclass(frozen=True, slots=True)
class Comparison:
    """Results of models trained in the same way: means over seeds with 95 % intervals.

    n_runs, n_missing : number of planned runs, and of those without a result yet
    accuracy : in [0, 1], one row per model and test set; ``group`` is one of those in ``VARIED``
    differences : LM2 minus each other model, paired by seed, with a verdict
    perplexity : on held-out text, where no memory is needed
    bank_change : relative change of the bank per token, by kind of text and block, trained and untrained
    """

    plan: str
    n_runs: int
    n_missing: int
    accuracy: pd.DataFrame
    differences: pd.DataFrame
    perplexity: pd.DataFrame
    bank_change: pd.DataFrame

    @property
    def varied(self) -> list[str]:
        """The keys of ``VARIED`` that the finished runs cover."""
        return [name for name, group in VARIED.items() if group in set(self.accuracy["group"])]

    def of(self, test: str, varied: str = ARCHITECTURE) -> pd.DataFrame:
        """Accuracy on one of ``TESTS``, by model and by ``x``, the number of sentences."""
        return _of_test(self.accuracy[self.accuracy["group"] == VARIED[varied]], test)

    def verdicts(self, test: str) -> pd.DataFrame:
        """LM2 compared with each other model on one of ``TESTS``."""
        return _of_test(self.differences, test)

    def summary(self, test: str) -> str:
        """In how many comparisons LM2 is ahead, and in which it is not."""
        rows = self.verdicts(test)
        is_won = rows["verdict"] == "LM2 wins"
        text = f"LM2 is ahead in {is_won.sum()} of {len(rows)} comparisons."
        others = [
            f"{verdict} against {model} at {', '.join(str(x) for x in of_model['x'])} sentences"
            for (verdict, model), of_model in rows[~is_won].groupby(["verdict", "model"], sort=False)
        ]
        return f"{text} Not ahead: {'; '.join(others)}." if others else text

    def how_measured(self, test: str, varied: str = ARCHITECTURE) -> str:
        """Number of seeds and questions behind each point."""
        rows = self.of(test, varied)
        return f"{_range(rows['n_seeds'])} seeds, {_range(rows['n'])} questions each"

    def figure(self, test: str, varied: str = ARCHITECTURE) -> go.Figure:
        """Accuracy of every model by length, with intervals over seeds, and baselines that need no model."""
        rows = self.of(test, varied)
        models = [
            Line(str(name), *(of_model[column].to_numpy(float) for column in ("x", "mean", "low", "high")))
            for name, of_model in rows.groupby("model", sort=False)
        ]
        one = rows[rows["model"] == rows["model"].iloc[0]]
        none = np.full(len(one), np.nan)
        floors = [
            Line(name, one["x"].to_numpy(float), one[column].to_numpy(float), none, none)
            for column, name in FLOORS.items()
        ]
        return lines_by_length(models, floors, x_title=X_TITLES[test])


def read_comparison(path: str | Path) -> Comparison:
    """Load a comparison from the ``table.json`` of ``lm2 compare``.

    Raises
    ------
    UserError
        When the file cannot be read or is not such a table.
    """
    try:
        table = json.loads(Path(path).read_text(encoding="utf-8"))
        return Comparison(
            plan=table["plan"],
            n_runs=table["n_runs"],
            n_missing=len(table["missing"]),
            accuracy=_frame(table["accuracy"], *VARIED.values()),
            differences=_frame(table["lm2_against"], "main"),
            perplexity=_frame(table["perplexity"], "text"),
            bank_change=_bank_change(table["bank_change"]),
        )
    except OSError as error:
        raise UserError(
            f"cannot read {path}: {error.strerror}; make it with: lm2 compare --out DIR"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a table of lm2 compare ({error!r}); write it again with --table"
        ) from None


def published_table() -> pd.DataFrame:
    """The paper's BABILong accuracies in percent, one row per length; missing where it gives none."""
    table = pd.DataFrame.from_dict(dict(published.BABILONG), orient="index", columns=list(published.MODELS))
    return table.rename_axis("length").reset_index()


def _frame(entries: list[dict[str, Any]], *groups: str) -> pd.DataFrame:
    """The rows of these groups of runs, LM2 first, with readable names."""
    frame = pd.DataFrame([entry for entry in entries if entry["group"] in groups])
    frame.insert(0, "model", [NAMES.get(label, label) for label in frame["label"]])
    if "lm2_against" in frame:
        frame["verdict"] = [
            against["verdict"] if isinstance(against, dict) else "" for against in frame["lm2_against"]
        ]
    return frame.sort_values("label", key=lambda labels: labels != "lm2", kind="stable")


def _bank_change(entries: list[dict[str, Any]]) -> pd.DataFrame:
    """One row per kind of text and block: the trained model with its interval, and the untrained one."""
    return pd.DataFrame(
        {
            "reads": entry["reads"],
            "block": entry["block"],
            **{key: entry["trained"][key] for key in ("mean", "low", "high")},
            "untrained": entry["untrained"]["mean"],
        }
        for entry in entries
    )


def _of_test(frame: pd.DataFrame, test: str) -> pd.DataFrame:
    is_noise = frame["noise"] > 0
    chosen = frame[is_noise if test == NOISE else ~is_noise].copy()
    chosen["x"] = chosen["noise" if test == NOISE else "length"]
    return chosen


def _range(counts: pd.Series) -> str:
    low, high = counts.min(), counts.max()
    return f"{low}" if low == high else f"{low} to {high}"
