"""Both sides of a counterfactual pair as lines of plain text, with the differences marked."""

from collections.abc import Collection, Sequence

from lm2core.babi.counterfactual import Counterfactual

CHANGED, SAME, SUPPORT = "▶", "·", "*"  # no line may begin with a blank, which text boxes strip
LEGEND = f"{CHANGED} changed sentence, [changed word], {SUPPORT} answers the question"


def pair_lines(pair: Counterfactual) -> tuple[list[str], list[str]]:
    """Numbered lines of the original and of the edited story, with the changed words in brackets."""
    return (
        _lines(pair.sentences, pair.edited, pair.support),
        _lines(pair.edited, pair.sentences, pair.edited_support),
    )


def _lines(sentences: Sequence[str], other: Sequence[str], support: Collection[int]) -> list[str]:
    lines = []
    for i, (sentence, counterpart) in enumerate(zip(sentences, other, strict=True)):
        mark = CHANGED if sentence != counterpart else SAME
        end = f" {SUPPORT}" if i in support else ""
        lines.append(f"{mark} {i + 1}  {_bracket_changes(sentence, counterpart)}{end}")
    return lines


def _bracket_changes(sentence: str, other: str) -> str:
    """The sentence with each changed word in brackets; the full stop stays outside."""
    words = []
    for word, counterpart in zip(sentence.split(), other.split(), strict=True):
        bare = word.rstrip(".,")
        words.append(word if word == counterpart else f"[{bare}]{word[len(bare) :]}")
    return " ".join(words)
