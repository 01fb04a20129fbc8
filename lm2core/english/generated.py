"""Generated stories by name: of a bAbI task, or of a kind of English stories."""

from lm2core.babi.story import Story
from lm2core.babi.tasks import TASKS, make_stories
from lm2core.english.kinds import KINDS
from lm2core.english.lexicon import lexicon
from lm2core.english.stories import make_stories as make_english
from lm2core.errors import UserError


def generated_stories(name: str, n: int, seed: int) -> list[Story]:
    """``n`` stories; story i depends on ``seed`` + i alone.

    name : "qa1" to "qa20", or one of lm2core.english.kinds.KINDS, such as "one-fact". English stories are in
        the words and phrasings that no model was trained on, and their questions also begin the answer.

    Raises
    ------
    UserError
        For an unknown name, or a seed below 0.
    """
    if name not in KINDS:
        if name not in TASKS:
            known = f"qa1 to qa{len(TASKS)}, {', '.join(KINDS)}"
            raise UserError(f"unknown task {name!r}; known: {known}, or a file in the bAbI format")
        return make_stories(name, n, seed)
    return [story.as_babi(prompted=True) for story in make_english(name, n, seed, lexicon("test"))]
