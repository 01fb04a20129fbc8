"""Counterfactual pairs in English: those of lm2core.babi, with both sides told in the same phrasings."""

from random import Random

from lm2core.babi.counterfactual import Counterfactual, draw_pair
from lm2core.babi.sentences import parse
from lm2core.babi.story import Question
from lm2core.english.kinds import N_THINGS, get_kind, setting_with
from lm2core.english.lexicon import Lexicon
from lm2core.english.questions import form_of, worded
from lm2core.english.sentences import Sentence
from lm2core.english.stories import N_SENTENCES
from lm2core.errors import UserError

_MOST_PAIRS = 200  # of bAbI, until one has equally long sentences in English


def draw_counterfactual(
    kind: str, edit: str, rng: Random, lexicon: Lexicon, *, n_sentences: int = N_SENTENCES
) -> Counterfactual:
    """A pair as of lm2core.babi.counterfactual in English: equally many words sentence by sentence.

    edit : one of the kind's ``edits``

    Raises
    ------
    UserError
        For an unknown kind, an edit that it does not allow, or when none is found.
    """
    stories = get_kind(kind)
    if edit not in stories.edits:
        raise UserError(
            f"{kind} stories have no {edit!r} counterfactuals; choose from: {', '.join(stories.edits)}"
        )
    for _ in range(_MOST_PAIRS):
        cast = lexicon.draw_cast(rng, n_people=stories.n_people, n_places=stories.n_places, n_things=N_THINGS)
        pair = draw_pair(setting_with(kind, cast), edit, rng, n_sentences=n_sentences)
        told = _tell(pair, rng, lexicon)
        if told is not None:
            return told
    raise UserError(f"no {edit} counterfactual of {kind} with equally long sentences; try another length")


def _tell(pair: Counterfactual, rng: Random, lexicon: Lexicon) -> Counterfactual | None:
    """The pair in English, each sentence and its edit in the same phrasing; None if their lengths differ."""
    if form_of(pair.question) is None:
        return None
    phrasings = [rng.choice(lexicon.phrasings) for _ in pair.sentences]
    phrasing = rng.choice(lexicon.phrasings)
    sides = [
        tuple(Sentence(s, p).text for s, p in zip(parse(sentences), phrasings, strict=True))
        for sentences in (pair.sentences, pair.edited)
    ]
    if [len(text.split()) for text in sides[0]] != [len(text.split()) for text in sides[1]]:
        return None
    n = len(phrasings)
    asked, again = (
        worded(Question(pair.question, answer, support, n), phrasing)
        for answer, support in ((pair.answer, pair.support), (pair.edited_answer, pair.edited_support))
    )
    return Counterfactual(
        task=pair.task,
        kind=pair.kind,
        sentences=sides[0],
        edited=sides[1],
        changed=pair.changed,
        question=asked.text,
        answer=asked.answer,
        edited_answer=again.answer,
        support=asked.support,
        edited_support=again.support,
    )
