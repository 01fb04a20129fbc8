"""Stories for the constructed models: people go to places; and their minimal edits."""

from random import Random

from lm2core.babi.counterfactual import Counterfactual
from lm2core.babi.story import Question, Statement, Story
from lm2viz.trial.constructed import PEOPLE, PLACES

N_SENTENCES = 7


def draw_story(rng: Random, n_sentences: int = N_SENTENCES, *, about: str | None = None) -> Story:
    """People go to places; the last question is about ``about``, or about one of them.

    about : somebody who goes somewhere in every story that is drawn
    """
    while True:
        moves = [Statement(rng.choice(PEOPLE), "move", rng.choice(PLACES)) for _ in range(n_sentences)]
        if about is None or any(move.subject == about for move in moves):
            return story_of(moves, about or rng.choice(moves).subject)


def story_of(moves: list[Statement], asked: str) -> Story:
    """The story of these moves, and the question where ``asked`` is at its end."""
    support = max(i for i, move in enumerate(moves) if move.subject == asked)
    question = Question(f"where {asked}?", moves[support].target, (support,), len(moves))
    places: dict[str, str] = {}
    states = []
    for move in moves:
        places = places | {f"place of {move.subject}": move.target}
        states.append(places)
    sentences = tuple(f"{move.subject} {move.target}" for move in moves)
    return Story("handmade", sentences, tuple(moves), tuple(states), (question,), gap="")


def question_of(fact: str) -> str | None:
    """The question about the place of a person; None for what the models do not know."""
    person = fact.removeprefix("place of ")
    return f"where {person}?" if person in PEOPLE else None


def draw_pair(rng: Random, n_sentences: int = N_SENTENCES, *, about: str | None = None) -> Counterfactual:
    """A story and the same with another place in the sentence that answers its question."""
    return _edited(draw_story(rng, n_sentences, about=about), rng, is_placebo=False)


def draw_placebo(rng: Random, n_sentences: int = N_SENTENCES, *, about: str | None = None) -> Counterfactual:
    """A story and the same with another place of somebody who is not asked for."""
    while True:
        story = draw_story(rng, n_sentences, about=about)
        if len({move.subject for move in story.statements}) > 1:
            return _edited(story, rng, is_placebo=True)


def _edited(story: Story, rng: Random, *, is_placebo: bool) -> Counterfactual:
    (question,) = story.questions
    asked = story.statements[question.support[0]].subject
    others = [i for i, move in enumerate(story.statements) if move.subject != asked]
    changed = rng.choice(others) if is_placebo else question.support[0]
    moves = list(story.statements)
    new = rng.choice([place for place in PLACES if place != moves[changed].target])
    moves[changed] = Statement(moves[changed].subject, "move", new)
    edited = story_of(moves, asked)
    return Counterfactual(
        task=story.task,
        kind="placebo" if is_placebo else "place",
        sentences=story.sentences,
        edited=edited.sentences,
        changed=(changed,),
        question=question.text,
        answer=question.answer,
        edited_answer=edited.questions[0].answer,
        support=question.support,
        edited_support=edited.questions[0].support,
    )
