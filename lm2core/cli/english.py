"""The form of ``lm2 eval`` on stories in open English: fresh ones, one question each, in unseen words."""

from itertools import islice
from typing import Any

from lm2core.cli.tables import Rows, open_model, score_columns, show
from lm2core.errors import UserError

QUESTIONS = 100  # per kind and length
SENTENCES = "10"


def on_english(checkpoint: str, given: dict[str, Any]) -> Rows:
    """A row for each kind and number of sentences; stories are of the test share of words and phrasings."""
    from lm2core.english.kinds import get_kind
    from lm2core.english.lexicon import lexicon
    from lm2core.english.stories import single_questions
    from lm2core.evaluation.stories import predict, score

    kinds = [name.strip() for name in given["english"].split(",")]
    for kind in kinds:
        get_kind(kind)
    lengths = [_whole(text) for text in given.get("sentences", SENTENCES).split(",")]
    n, seed = given.get("questions", QUESTIONS), given.get("english_seed", 0)
    lm = open_model(checkpoint)
    rows = []
    for kind in kinds:
        for length in lengths:
            drawn = single_questions(kind, seed, lexicon("test"), n_sentences=length, prompted=True)
            stories = list(islice(drawn, n))
            result = score(stories, predict(lm, stories))
            rows.append({"task": kind, "sentences": length} | score_columns(lm, result))
    show(rows)
    return rows


def _whole(text: str) -> int:
    """A number of sentences, as typed."""
    if not text.strip().isdigit() or int(text) < 1:
        raise UserError(f"--sentences {text!r} must be whole numbers of at least 1, e.g. 10,40")
    return int(text)
