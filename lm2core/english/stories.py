"""English stories: bAbI's worlds told with hundreds of names, places and things in many phrasings."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count, islice
from random import Random

from lm2core.babi.known_facts import KnownFacts, known_facts
from lm2core.babi.story import Facts, Story
from lm2core.babi.tasks import draw_question
from lm2core.babi.text import TextStory
from lm2core.english.kinds import N_THINGS, get_kind, setting_with
from lm2core.english.lexicon import Lexicon
from lm2core.english.questions import EnglishQuestion, worded
from lm2core.english.sentences import Sentence
from lm2core.errors import UserError

N_SENTENCES = 10


@dataclass(frozen=True, slots=True)
class EnglishStory:
    """A story whose sentences and questions are values.

    kind : one of lm2core.english.kinds.KINDS
    states : the world facts after each sentence, including those that no sentence states
    """

    kind: str
    sentences: tuple[Sentence, ...]
    states: tuple[Facts, ...]
    questions: tuple[EnglishQuestion, ...]

    @property
    def facts(self) -> list[KnownFacts]:
        """The facts that a reader knows after each sentence, and since which one."""
        return known_facts([sentence.statement for sentence in self.sentences])

    def as_babi(self, *, prompted: bool = False) -> Story:
        """The same as a story of bAbI, which every reader, analysis and file takes.

        prompted : the text of a question is its whole prompt, as language models are asked
        """
        return Story(
            task=self.kind,
            sentences=tuple(sentence.text for sentence in self.sentences),
            statements=tuple(sentence.statement for sentence in self.sentences),
            states=self.states,
            questions=tuple(question.as_babi(prompted=prompted) for question in self.questions),
            gap=" ",
        )


def draw_story(
    kind: str,
    rng: Random,
    lexicon: Lexicon,
    *,
    n_sentences: int = N_SENTENCES,
    n_people: int | None = None,
    n_places: int | None = None,
    n_things: int = N_THINGS,
) -> EnglishStory:
    """A story in the words of the ``lexicon``, with a question after each sentence that allows one.

    Parameters
    ----------
    kind : str
        One of lm2core.english.kinds.KINDS.
    n_people, n_places, n_things : int
        In this story; its places share a preposition. By default as many as its kind has.

    Raises
    ------
    UserError
        For an unknown kind, no sentence, or more people, places or things than the lexicon has.
    """
    if n_sentences < 1:
        raise UserError(f"n_sentences = {n_sentences}; a story has at least 1")
    usual = get_kind(kind)
    cast = lexicon.draw_cast(
        rng,
        n_people=usual.n_people if n_people is None else n_people,
        n_places=usual.n_places if n_places is None else n_places,
        n_things=n_things,
    )
    setting = setting_with(kind, cast)
    lines = list(islice(chain.from_iterable(setting.task.draw(rng)), n_sentences))
    history = [line.statement for line in lines]
    drawn = [draw_question(setting.task, history[:n], rng) for n in range(1, n_sentences + 1)]
    return EnglishStory(
        kind=kind,
        sentences=tuple(Sentence(statement, rng.choice(lexicon.phrasings)) for statement in history),
        states=tuple(line.facts for line in lines),
        questions=tuple(worded(q, rng.choice(lexicon.phrasings)) for q in drawn if q is not None),
    )


def make_stories(
    kind: str, n: int, seed: int, lexicon: Lexicon, *, n_sentences: int = N_SENTENCES
) -> list[EnglishStory]:
    """``n`` stories; story i depends on ``seed`` + i alone, as in lm2core.babi.tasks.make_stories.

    Raises a UserError as ``draw_story``, and for a seed below 0.
    """
    if seed < 0:
        raise UserError(f"seed {seed}; give 0 or more: story i is drawn with seed + i")
    return [draw_story(kind, Random(seed + i), lexicon, n_sentences=n_sentences) for i in range(n)]


def single_questions(
    kind: str, seed: int, lexicon: Lexicon, *, n_sentences: int = N_SENTENCES, prompted: bool = False
) -> Iterator[TextStory]:
    """Endless stories with one question each, at their end, so that questions are independent.

    For scores, and for lm2core.babilong.samples.make_samples, which hides them in a text of any length.
    A story that allows no question at its end is skipped.
    """
    for i in count():
        rng = Random(f"english {seed} {kind} {i}")
        story = draw_story(kind, rng, lexicon, n_sentences=n_sentences).as_babi(prompted=prompted)
        if story.questions and story.questions[-1].n_statements == n_sentences:
            yield TextStory(story.sentences, story.questions[-1:], story.gap)
